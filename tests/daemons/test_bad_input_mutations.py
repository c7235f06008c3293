"""A thousand mutations of the samples in the folder of a running `openelb-bgp run`: it lives, and goes on.

Objects get names, peers and pools addresses of their own first, so that each mutation is looked at for
itself instead of being a duplicate of the one before.
"""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from openelb_bgp.model.meta import Kind
from tests.daemons.harness.house import House
from tests.daemons.harness.manifests import Object, eip, endpoints, service

SAMPLES = Path(__file__).parent.parent.parent / "manifests" / "samples"
SEED = 6
BATCHES, BATCH = 10, 100

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**32, 2**64, 10**400, 1.5, float("nan"), float("inf")),
    *("", " ", "0", "-1", "null", "x" * 5000, "\u0000", "\ud7ff", "🙂", "{{}}", "a\nb", "٣", "1e9"),
    *("0.0.0.0/0", "::/0", "255.255.255.255", "fe80::1", "10.0.0.0/99", "1.2.3.4-1.2.3.3", "::ffff:1.2.3.4"),
    *([], {}, [None], [[]], {"": ""}, {"a": {"b": {"c": []}}}, ["x"] * 1000),
)


def samples() -> list[Object]:
    files = sorted(SAMPLES.rglob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one]


def mutations(chance: random.Random) -> Iterator[str]:
    """Texts of manifests, for ever; half are wrong as values, half as texts."""
    known = samples()
    for number in range(10**6):
        made = unlike_others(copy.deepcopy(chance.choice(known)), number)
        if number % 2:
            for _ in range(chance.randint(1, 3)):
                mutate_value(made, chance)
            yield yaml.safe_dump(made, allow_unicode=True)
        else:
            yield mutated_text(yaml.safe_dump(made, allow_unicode=True), chance)


def unlike_others(made: Object, number: int) -> Object:
    made["metadata"]["name"] = f"mutant-{number}"
    spec = made.get("spec", {})
    high, low = divmod(number, 250)
    if made["kind"] == "Eip":
        spec["address"] = f"100.{64 + high}.{low}.0/28"
    elif made["kind"] == "BgpPeer" and "neighborAddress" in spec["conf"]:
        spec["conf"]["neighborAddress"] = f"10.77.{high}.{low + 1}"
    return made


def mutate_value(made: Any, chance: random.Random) -> None:
    """Change something, somewhere below."""
    while True:
        keys: list[Any] = list(made) if isinstance(made, dict) else list(range(len(made)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(made[key], dict | list) and made[key] and chance.random() < 0.8:
            made = made[key]
            continue
        match chance.randrange(4 if isinstance(made, dict) else 3):
            case 0:
                del made[key]
            case 3:
                made[f"{key}x"] = made.pop(key)
            case _:
                made[key] = copy.deepcopy(chance.choice(STRANGE))
        return


def mutated_text(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    lines = text.splitlines(keepends=True)
    line = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            return text[:place]
        case 1:
            return text[:place] + chance.choice("\t:{}[]&*!|>'\"%@`\x00\u2028é-") + text[place:]
        case 2:
            return text[:place] + text[place + chance.randint(1, 20) :]
        case 3:
            return "".join([*lines[:line], lines[line], *lines[line:]])
        case 4:
            return "".join([*lines[:line], "  ", *lines[line:]])
        case _:
            lines[line], lines[0] = lines[0], lines[line]
            return "".join(lines)


async def announced(house: House, name: str) -> None:
    try:
        await house.ours.announced(name, within=30)
    except AssertionError as error:
        raise AssertionError(f"{error}; its status: {house.ours.status(Kind.SERVICE, name)}") from None


async def test_a_thousand_mutations_are_told_and_hold_up_nobody(house: House) -> None:
    chance, made = random.Random(SEED), mutations(random.Random(SEED))
    # The mutants take what they get from the default pool.
    house.ours.write("reserved", eip("reserved", "198.18.0.0/24"))
    for batch in range(BATCHES):
        files = [house.ours.manifests / f"m{batch}-{index}.yaml" for index in range(BATCH)]
        for file in files:
            # As an editor would write it that does not care who reads.
            file.write_bytes(next(made).encode(errors="surrogatepass"))
        # A good Service that comes in the middle of all this gets its address and its route.
        name = f"good-{batch}"
        house.ours.write(name, service(name, pool="reserved"), endpoints(name, "node1"))
        await announced(house, f"shop/{name}")
        assert house.unharmed()
        for file in chance.sample(files, BATCH // 2):
            file.unlink()
    invalid = [name for name in house.ours.objects(Kind.EIP) if name.startswith("mutant-")]
    refused = [
        name for name in invalid if house.ours.condition(Kind.EIP, name, "Valid").get("status") == "False"
    ]
    assert len(refused) > 10, "the mutations were not looked at"
    for file in house.ours.manifests.glob("m*.yaml"):
        file.unlink()
    house.ours.write("last", service("last", pool="reserved"), endpoints("last", "node1"))
    await house.ours.announced("shop/last")
    assert house.unharmed()
