"""A task for Inspect."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


@task
def facts() -> Task:
    rows = [
        Sample(id="bread", input="Tell me about bread.", target="bread"),
        Sample(id="sum", input="What is two plus three?", target="five"),
    ]
    return Task(dataset=rows, solver=generate(), scorer=includes())
