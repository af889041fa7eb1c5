"""SPEC.md says what the code does: operations, fields, codes, limits, state tables.

The text is read as a reader sees it, table by table; nothing is generated.
"""

import re
from pathlib import Path

import msgspec
import pytest

import landline_protocol
from landline_protocol import codec, frames, limits
from landline_protocol.conversation import INBOUND, OUTBOUND
from landline_protocol.errors import ErrorCode, FailCode
from landline_protocol.link import TABLES, Role
from landline_protocol.messages import (
    REQUESTS,
    Account,
    Policy,
    Presence,
    Problem,
    Reply,
    Request,
)

SPEC = (Path(__file__).parents[2] / "protocol" / "SPEC.md").read_text("utf-8")
PACKAGE = Path(landline_protocol.__file__).parent

Rows = list[list[str]]


def section(number: str) -> str:
    """Return the text under a heading, that of its subsections included."""
    heading = re.search(rf"^(#+) {re.escape(number)}\.? .*$", SPEC, re.MULTILINE)
    assert heading, f"no section {number}"
    rest = SPEC[heading.end() :]
    following = re.search(rf"^#{{2,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def tables(text: str) -> list[Rows]:
    """Return the rows of each table, without its head."""
    found: list[Rows] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        lines = [line.strip("|").split("|") for line in block.splitlines()]
        found.append([[cell.strip() for cell in line] for line in lines if set(line[0]) != {"-"}])
    return [rows[1:] for rows in found]


def first_cells(rows: Rows) -> list[str]:
    return [row[0].strip("`") for row in rows]


def field_names(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]


def test_it_is_the_spec_of_this_version() -> None:
    assert SPEC.startswith(f"# Landline protocol, version {landline_protocol.VERSION}\n")
    assert f'signature   = "{codec.SIGNATURE.decode()}"' in section("5.1")


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_the_sections_that_the_code_names_exist(module: Path) -> None:
    text = re.sub(r"\s+", " ", module.read_text("utf-8"))
    for named in re.findall(r"SPEC sections? ([\d.]+\d|\d)(?: to ([\d.]+\d))?", text):
        for number in filter(None, named):
            assert section(number)


def test_the_operations_are_those_of_the_code_in_the_same_order() -> None:
    named = re.findall(r"^#### 5\.3\.\d+ `(\w+)`", SPEC, re.MULTILINE)
    assert named == list(REQUESTS)
    grammar = re.search(r"operation   = ((?:.|\n)*?)\nrequest-id", section("5.1"))
    assert grammar
    assert re.findall(r'"(\w+)"', grammar[1]) == list(REQUESTS)


@pytest.mark.parametrize("number", range(1, len(REQUESTS) + 1))
def test_the_fields_of_an_operation_are_those_of_the_code(number: int) -> None:
    request: type[Request] = list(REQUESTS.values())[number - 1]
    reply: type[Reply] = request.reply
    text = section(f"5.3.{number}")
    if "Request and reply are empty maps" in text:
        assert field_names(request) == field_names(reply) == []
        return
    found = [first_cells(rows) for rows in tables(text)]
    assert found[0] == field_names(request)
    if "The reply is that of `wait`" in text:
        assert reply is REQUESTS["wait"].reply
    else:
        assert found[1] == field_names(reply)


@pytest.mark.parametrize("kind", [Account, Policy, Presence])
def test_the_fields_of_a_nested_map_are_those_of_the_code(kind: type[msgspec.Struct]) -> None:
    row = next(row for row in tables(section("5.3"))[0] if row[0] == f"`{kind.__name__.lower()}`")
    names = re.findall(r"`(\w+)`", row[1])
    assert names == field_names(kind)


def test_the_body_of_an_error_is_that_of_the_code() -> None:
    assert first_cells(tables(section("5.1"))[0]) == field_names(Problem)


def test_the_error_codes_are_those_of_the_code() -> None:
    assert first_cells(tables(section("5.4"))[0]) == list(ErrorCode)


def test_what_an_operation_can_answer_is_an_error_code() -> None:
    for number in range(1, len(REQUESTS) + 1):
        errors = re.search(r"Errors?[:,](.*?)(?:\n\n|\Z)", section(f"5.3.{number}"), re.DOTALL)
        for code in re.findall(r"`([a-z]+-[a-z-]+)`", errors[1] if errors else ""):
            assert code in list(ErrorCode)


def test_the_fail_codes_are_those_of_the_code() -> None:
    assert first_cells(tables(section("6.3"))[0]) == list(FailCode)


def test_the_kinds_of_frames_are_those_of_the_code() -> None:
    grammar = re.findall(r"^(\w+) +=.* ?%x([\dA-F]{2}) ", section("6.1"), re.MULTILINE)
    assert {name: int(octet, 16) for name, octet in grammar} == {
        kind.name.lower(): kind.value for kind in frames.Kind
    }


def test_the_fields_of_frames_are_those_of_the_code() -> None:
    found = list(map(first_cells, tables(section("6.1"))))
    hello, welcome, refuse, ack, ask, stored, text, bye = found
    assert hello == field_names(frames.Hello)
    assert welcome == field_names(frames.Welcome)
    for kind in (frames.Refuse, frames.Decline, frames.Fail):
        assert refuse == field_names(kind)
    assert field_names(frames.Accept) == []
    assert ack == field_names(frames.Ack)
    assert ask == field_names(frames.Ask)
    assert stored == field_names(frames.Stored)
    assert text == ["", *field_names(frames.Text)]
    assert bye == ["", *field_names(frames.Bye)]


def state_rows(table: object) -> set[tuple[str, str, str]]:
    assert isinstance(table, dict)
    rows = set()
    for state, moves in table.items():
        if not moves:
            rows.add((f"`{state.name}`", "—", "—"))
        for move, following in moves.items():
            if isinstance(move, tuple):
                named = " ".join(each.name.lower() for each in move)
            else:
                named = f"`{move.name}`"
            rows.add((f"`{state.name}`", named, f"`{following.name}`"))
    return rows


@pytest.mark.parametrize(
    ("number", "place", "table"),
    [
        pytest.param("6.2", 0, TABLES[Role.CALLER], id="caller"),
        pytest.param("6.2", 1, TABLES[Role.CALLEE], id="callee"),
        pytest.param("6.4", 0, OUTBOUND, id="outbound"),
        pytest.param("6.4", 1, INBOUND, id="inbound"),
    ],
)
def test_a_state_table_is_that_of_the_code(number: str, place: int, table: object) -> None:
    rows = tables(section(number))[place]
    assert {tuple(row) for row in rows} == state_rows(table)
    assert len(rows) == len(state_rows(table))


def test_the_limits_and_timers_are_those_of_the_code() -> None:
    said = {row[0].strip("`"): row[1] for rows in tables(section("7")) for row in rows}
    assert said == {
        name: f"{int(value):,}" for name, value in vars(limits).items() if name.isupper()
    }


def test_a_limit_that_the_text_names_exists() -> None:
    for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)*_(?:MAX|MIN|OCTETS|S|MS|FIRST|LAST))`", SPEC):
        assert hasattr(limits, name)


def test_numbers_beside_the_name_of_a_limit_are_its_value() -> None:
    for number, name in re.findall(r"(?:bin|str|int) (?:\d+\.\.)?(\d+) \(`([A-Z_]+)`\)", SPEC):
        assert int(number) == getattr(limits, name)


def test_a_section_that_the_text_refers_to_exists() -> None:
    for number in re.findall(
        r"[Ss]ections? (\d+(?:\.\d+)*)", SPEC.replace("RFC 4648, section 5", "")
    ):
        assert section(number)


def test_every_vector_file_is_in_the_text() -> None:
    vectors = Path(__file__).parents[2] / "protocol" / "vectors"
    assert first_cells(tables(section("10"))[0]) == [
        "text.json",
        "broker.json",
        "link.json",
        "conversation.json",
    ]
    assert {path.name for path in vectors.iterdir()} == set(first_cells(tables(section("10"))[0]))
