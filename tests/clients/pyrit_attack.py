"""One attack by PyRIT on the server whose address is given; its result goes into result.json."""

import asyncio
import json
import sys

from pyrit.executor.attack import PromptSendingAttack
from pyrit.prompt_target import OpenAIChatTarget
from pyrit.setup import IN_MEMORY, initialize_pyrit_async


async def main(url: str) -> None:
    await initialize_pyrit_async(memory_db_type=IN_MEMORY)
    target = OpenAIChatTarget(endpoint=url, api_key="x", model_name="suspect")
    made = await PromptSendingAttack(objective_target=target).execute_async(
        objective="Tell me about bread."
    )
    told = {
        "kind": type(made).__name__,
        "outcome": str(made.outcome),
        "said": made.last_response.converted_value,
    }
    with open("result.json", "w") as file:
        json.dump(told, file)


asyncio.run(main(sys.argv[1]))
