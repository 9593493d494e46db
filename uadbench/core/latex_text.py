"""Plain text in LaTeX: special characters, Greek and accented letters, and usual symbols; and what it cannot set."""

import re
import unicodedata

#: lower-case letters in the order of Unicode; capitals that do not look Latin
GREEK = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau
upsilon phi chi psi omega""".split()  # noqa: SIM905
CAPITALS = dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(), strict=True))  # noqa: SIM905
SYMBOLS = {
    "±": "pm", "×": "times", "÷": "div", "·": "cdot", "⋅": "cdot", "°": "circ", "∘": "circ", "∗": "ast", "√": "surd",
    "∞": "infty", "∂": "partial", "∇": "nabla", "∑": "sum", "∏": "prod", "∫": "int", "≈": "approx", "≠": "neq",
    "≤": "leq", "≥": "geq", "≪": "ll", "≫": "gg", "∼": "sim", "∝": "propto", "∈": "in", "∪": "cup", "∩": "cap",
    "⊕": "oplus", "⊗": "otimes", "¬": "neg", "→": "rightarrow", "←": "leftarrow", "↔": "leftrightarrow",
    "⇒": "Rightarrow", "↑": "uparrow", "↓": "downarrow", "⌈": "lceil", "⌉": "rceil", "⌊": "lfloor", "⌋": "rfloor",
    "⟨": "langle", "⟩": "rangle", "∥": "parallel", "′": "prime", "ℓ": "ell", "µ": "mu", "ϵ": "epsilon", "ϑ": "vartheta",
    "ϕ": "varphi", "ϱ": "varrho", "ϖ": "varpi",
    **CAPITALS,
    **{chr(ord("α") + place): name for place, name in enumerate(GREEK) if name != "omicron"},
}  # fmt: skip
#: letters that look Latin; subscript and superscript digits
LATIN = dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True))
DIGITS = {
    character: f"${sign}{digit}$"
    for sign, digits in (("_", "₀₁₂₃₄₅₆₇₈₉"), ("^", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    for digit, character in enumerate(digits)
}
#: by the combining character of the decomposed letter
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0323": "d",
}  # fmt: skip
REPLACED = {
    **{character: f"$\\{name}$" for character, name in SYMBOLS.items()},
    **LATIN, **DIGITS,
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$",
    "|": r"$|$", "−": r"$-$", "–": "--", "—": "---", "…": r"\ldots{}", "‘": "`", "’": "'", "“": "``", "”": "''",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}",
    "Ł": r"\L{}", "ı": r"\i{}", "§": r"\S{}", "¶": r"\P{}", "†": r"\dag{}", "‡": r"\ddag{}", "©": r"\copyright{}",
    "\u00a0": "~", "\u2009": r"\,", "\u202f": r"\,", "\u2011": "-",
    **{character: "\\" + character for character in "&%$#_{}"},
}  # fmt: skip


def escape(text: str) -> str:
    """Text with all that LaTeX does not set as it stands replaced; characters of `unknown` are kept."""
    return "".join(_set(character) or character for character in unicodedata.normalize("NFC", text))


def unknown(text: str) -> list[str]:
    """The characters of a text that LaTeX cannot set with its usual fonts, each once."""
    return [character for character in dict.fromkeys(unicodedata.normalize("NFC", text)) if not _set(character)]


def _set(character: str) -> str:
    """LaTeX of a character; "" for one that it cannot set."""
    if character in REPLACED:
        return REPLACED[character]
    letter, *marks = list(unicodedata.normalize("NFD", character))
    if not re.fullmatch("[ -~]", letter) or (marks and not letter.isalpha()) or not {*marks} <= ACCENTS.keys():
        return ""
    for mark in marks:
        letter = f"\\{ACCENTS[mark]}{{{letter}}}"
    return letter
