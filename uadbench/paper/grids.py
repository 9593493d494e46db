"""Voxel size and space in which the maps of a table were evaluated, and marks of methods that differ in these.

The same map has another AP on a finer grid, or interpolated to the space of the scan: such rows are not like with like.
"""

from collections import Counter

from uadbench.paper.results import Results

MARK = " †"  # behind the title of a method
NOT_STATED = "not stated"


def grids(results: Results) -> dict[tuple[str, str], str]:
    """Voxel size and space of each method on each task, such as "4 mm, mni152"."""
    return {at: _text(*stated) for at, stated in results.spaces.items()}


def usual(results: Results) -> dict[str, str]:
    """Voxel size and space of each task: those of most methods, of the first ones where as many differ."""
    found = grids(results)
    by_task = {task: [grid for (_, other), grid in found.items() if other == task] for task in results.tasks}
    return {task: Counter(listed).most_common(1)[0][0] for task, listed in by_task.items()}


def apart(results: Results) -> dict[str, dict[str, str]]:
    """Methods whose maps were evaluated in other voxels or another space than those of most, and theirs by task."""
    expected, differing = usual(results), dict[str, dict[str, str]]()
    for (method, task), grid in grids(results).items():
        if grid != expected[task]:
            differing.setdefault(method, {})[task] = grid
    return differing


def note(results: Results) -> str:
    """The note below a table: voxels and space of its tasks, and the marked methods with theirs."""
    by_task = usual(results)
    alike = set(by_task.values())
    listed = alike.pop() if len(alike) == 1 else "; ".join(f"{task}: {grid}" for task, grid in by_task.items())
    text = f"Voxels and space of the evaluation: {listed}."
    if marked := apart(results):
        named = "; ".join(
            f"{results.title(method)} ({', '.join(f'{task}: {grid}' for task, grid in tasks.items())})"
            for method, tasks in marked.items()
        )
        text += f"{MARK} In others, and thus not like with like: {named}."
    return text


def label(results: Results, method: str, title: str) -> str:
    """The title of a method with its mark, if it has one."""
    return title + MARK * (method in apart(results))


def _text(voxel: str, space: str) -> str:
    known = [f"{voxel} mm" if voxel else f"voxel size {NOT_STATED}", space or f"space {NOT_STATED}"]
    return ", ".join(known) if voxel or space else NOT_STATED
