"""The claims: every statement of the paper that a run can support or not. Adding one is one entry here."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from uadbench.paper.claims import methods, steps, unprinted
from uadbench.paper.claims.evidence import Evidence
from uadbench.paper.claims.finding import Finding
from uadbench.paper.claims.methods import ATLAS, T2


@dataclass(frozen=True)
class Claim:
    """A statement of Naval Marimont et al. 2024 in our words.

    title: heading; where: section, table or figure; says: the statement; quantity: what is measured; holds: when it
    counts as supported; test: where a study at the paper's size has the number, in Markdown; measure: the findings of a
    study or of the paper's tables; exact: whether it follows from the code alone, whatever the scans; printed: what the
    paper states where its tables do not; remark: on the paper's own numbers; needs: what a study must have, beside
    results of DISYRE on a task of the paper where it is not exact.
    """

    title: str
    where: str
    says: str
    quantity: str
    holds: str
    test: str
    measure: Callable[[Evidence], list[Finding]]
    _: KW_ONLY
    needs: str
    exact: bool = False
    printed: str = ""
    remark: str = ""


COMPARED = "`comparisons.csv`"
MAPS = "`comparisons.csv`, rows with `score_other`"
BENCH = "`uadbench bench --method disyre --step-sizes > results/paper/evaluation/speed.json`"

SECTIONS: dict[str, tuple[Claim, ...]] = {
    "Methods: Table 2": (
        Claim(
            "Best on two tasks",
            "Abstract; section 4; Table 2",
            "DISYRE is clearly better than all other methods on ATLAS and BraTS-T2, two tasks of three.",
            "AP of DISYRE minus that of the best other method",
            "significantly better than every other method on both",
            f"`table2`, {COMPARED}",
            methods.lead(ATLAS, T2),
            needs="`comparisons.csv` with DISYRE and another method on ATLAS or BraTS-T2",
        ),
        Claim(
            "Gain over the second best",
            "Section 4",
            "On BraTS-T2 it gains .25 AP, given as 33 %, on the second best method; on ATLAS AP rises from .18 to .32.",
            "AP gained over the second best, absolute and in per cent",
            "both gains are significantly above 0",
            f"{COMPARED}, columns `difference` and `ratio`",
            methods.gain(T2, ATLAS),
            remark="33 % is the share of DISYRE's own AP; of the second best's it is 49 %",
            needs="`comparisons.csv` with `ratio` of DISYRE and the best other method on ATLAS or BraTS-T2",
        ),
        Claim(
            "Competitive on BraTS-T1",
            "Section 4; Table 2",
            "On BraTS-T1 it is competitive.",
            "AP of DISYRE minus that of the best other method",
            f"the interval excludes a deficit of more than {methods.BEHIND:g} AP, which is the paper's own",
            f"`table2`, {COMPARED}",
            methods.not_far_behind,
            remark="it is third of ten, 17 % below the best",
            needs="`comparisons.csv` with DISYRE and the best other method on BraTS-T1",
        ),
        Claim(
            "DISYRE against MOOD22",
            "Sections 3 and 4; Table 2",
            "With the same anomalies and network, restoration (DISYRE) is better than segmentation (MOOD22).",
            "AP and ⌈Dice⌉ of DISYRE minus those of MOOD22. Anomalies are the same at the defaults; in the demo each "
            "method has those that suit it",
            "significantly better on every task by both",
            COMPARED,
            methods.against("mood22", "ap", "dice"),
            needs="`comparisons.csv` with DISYRE and `mood22`",
        ),
        Claim(
            "DISYRE against DAE",
            "Table 2; section 1",
            "Synthetic anomalies are a better corruption than the coarse noise of DAE.",
            "AP of DISYRE minus that of DAE",
            "significantly better on every task",
            COMPARED,
            methods.against("dae", "ap"),
            needs="`comparisons.csv` with DISYRE and `dae`",
        ),
        Claim(
            "Synthetic anomalies against noise",
            "Abstract; section 1",
            "Diffusion models trained on noise do not generalise to lesions, those trained on synthetic anomalies do.",
            "AP of DISYRE minus that of the better one of DDPM and AnoDDPM",
            "significantly better on every task",
            f"`methods: [..., ddpm, anoddpm]` in `config/paper.yaml`; {COMPARED}",
            methods.against_noise,
            printed="it has no such row",
            needs="`comparisons.csv` with DISYRE and `ddpm` or `anoddpm`",
        ),
        Claim(
            "Lesions against grey values",
            "Abstract",
            "The learned changes are a score of natural lesions.",
            "AP of DISYRE minus that of the control Intensity, a threshold of the grey value",
            "significantly better on every task",
            COMPARED,
            methods.against("intensity", "ap"),
            printed="it has no such row",
            needs="`comparisons.csv` with DISYRE and `intensity`",
        ),
        Claim(
            "T1 against T2",
            "Table 2; section 4",
            "Gliomas are harder to find in T1 than in T2.",
            "AP of DISYRE on BraTS-T2 minus that on BraTS-T1",
            "the interval is above 0",
            "`table2`",
            methods.modality_gap,
            needs="AP of DISYRE on BraTS-T1 and BraTS-T2",
        ),
        Claim(
            "220 of 655 scans",
            "Section 3",
            "That other rows used 220 of the 655 scans of ATLAS introduces no significant bias.",
            "AP of a random 220/655 of the patients minus that of all: bias, and in brackets the range of 95 % of such "
            "subsets. It says nothing of scans that only one of the two releases has",
            "the bias of every method is within ± .02. Subsets of fewer than "
            f"{methods.DRAWN} patients decide nothing, since the bias grows as they shrink",
            "`subsets.csv`; `datasets: {atlas: {subset: …}}` for a fixed part",
            methods.fewer_scans,
            printed="expects none",
            needs="`subsets.csv` with ATLAS",
        ),
    ),
    "Steps: Table 1 and Figure 2": (
        Claim(
            "t of the maximum",
            "Section 4; Figure 2; Table 1",
            "AP of single steps peaks at different t for different lesions and modalities.",
            "t of the highest AP among the t of Table 1: mean over seeds",
            "two tasks differ (paired by seed, Bonferroni)",
            "`table1`, `figure2`",
            steps.peaks,
            needs="AP of DISYRE at two t or more",
        ),
        Claim(
            "Several steps against one",
            "Section 4; Table 1",
            "Several steps improve on single ones on ATLAS and BraTS-T2, and not on BraTS-T1.",
            "AP of the final map (step size 25) minus that of the best single step, which is chosen on the same scans "
            "and thus flattered",
            "significantly above 0 on ATLAS and BraTS-T2, and not above .02 on BraTS-T1",
            MAPS,
            steps.over_single,
            remark="the gain on ATLAS is as large as the deviation over seeds",
            needs="`comparisons.csv` with the maps `single/t=…` of DISYRE",
        ),
        Claim(
            "Robustness to the step size",
            "Section 4; Table 1",
            "DISYRE is robust to the step size.",
            "AP of step size 25 minus that of the one furthest from it; range over all",
            "every interval is within ± .02",
            MAPS,
            steps.step_sizes,
            remark="on BraTS-T1 its own range exceeds .02",
            needs="`comparisons.csv` with the maps `multi/step=…` of DISYRE",
        ),
        Claim(
            "Coverage and speed",
            "Section 4",
            "Step size 25 balances coverage of the schedule and speed.",
            "passes through the network, time of a volume, and AP of each task by step size; 33 ends at t = 1",
            "AP is significantly above that of step size 50, which takes half the passes, on a task; not where equal "
            "within ± .02 on all",
            f"`table1`; {BENCH}",
            steps.balance,
            remark="in its own table step size 50 reaches as much with half the passes",
            needs="maps `multi/step=…` of DISYRE",
        ),
        Claim(
            "Spread over seeds",
            "Table 1",
            "Trainings with other seeds give nearly the same: no deviation is above .03.",
            "largest standard deviation over seeds in Table 1",
            "at most .03",
            "`table1`",
            steps.seeds,
            printed="at most .03",
            needs="two seeds or more",
        ),
    ),
    "Corruption: section 2 and Figure 1": (
        Claim(
            "Frequencies by t",
            "Section 2; Figure 1",
            "Small t corrupts textures and high frequencies, large t structures and low ones.",
            "mean spatial frequency of x_t − x_0 with one mask and one foreign patch. By equation 1 x_t − x_0 = α_t m "
            "(x_fp − x_0): its spectrum is the same at every t but for the factor α_t",
            "the mean frequency falls with t",
            "`uadbench synthesis`",
            steps.frequencies,
            exact=True,
            printed="by eye, in Figure 1",
            needs="`synthesis.npz`",
        ),
        Claim(
            "Schedule",
            "Section 2; Figure 1",
            "The schedule rises from no corruption at t = 0 to the whole one at T, and x_t stays in [0, 1].",
            "factors α_t, and the largest value of x_t. DDPM's schedule shortened to 100 steps ends just below 1",
            f"α rises from 0 to at least {steps.FULL:g}, and x_t is at most 1",
            "`uadbench synthesis`, `figure1`",
            steps.schedule,
            exact=True,
            printed="α is 0 at t = 0 and 1 at T",
            needs="`synthesis.npz`",
        ),
    ),
    "Without a number: sections 3 and 4, Figure 3": (
        Claim(
            "Kinds of lesions by t",
            "Section 4",
            "Profiles over t come from the kind of lesion: fine ones are restored at low t, structural ones near T.",
            "Spearman's correlation, over patients, of the volume of the lesions with the t of the highest AP within "
            "the patient, and that of their contrast, |2 AUROC − 1| of the grey values; mean t of the least and of the "
            "greatest third. Volume stands for structure, and a lesion that no step finds has any t",
            "larger lesions have significantly larger t on one task (Bonferroni), and on none smaller",
            "`profiles.csv`",
            unprinted.kinds,
            printed="calls it a hypothesis",
            needs="`profiles.csv` with nine patients or more",
        ),
        Claim(
            "Restorations",
            "Section 4; Figure 3",
            "Restorations look like healthy versions of the slices.",
            "mean absolute difference of grey values between a lesion and the same place on the other side of the "
            "brain, after restoration as a share of that before (geometric mean over patients with their interval, in "
            "the slices of Figure 3). A blur comes nearer, too: whether it looks healthy, `figure3` shows",
            "the share is significantly below 1 on every task",
            "`restorations.csv`; `figure3`; on simulated scans also `benchmarks/healthy_versions.py`",
            unprinted.restorations,
            printed="by eye, in Figure 3",
            needs="`restorations.csv`",
        ),
        Claim(
            "Length of training",
            "Section 3",
            "100,000 steps suffice, as 50 held-out subjects show.",
            "fall of the validation loss in the last quarter of the training, with the interval over seeds. The "
            "learning rate ends at 0, which flattens any curve: that no longer training is better, only one of another "
            "length shows, as a method of `variants`",
            f"after {unprinted.STEPS:,} steps or more it is certainly within ± {unprinted.FLAT:g} %",
            "`histories.csv`, `figure curves`",
            unprinted.convergence,
            printed="shows no curve",
            needs="`histories.csv`",
        ),
    ),
}
