"""Who may do what, what is left, and what was done: clients, budgets, calls and the hash chain."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded, KeyReused
from workbench.findings import JSON
from workbench.host.anchor import Anchor, check
from workbench.host.records import SEAT, WHOSE, Call, Client, Receipt, Whose, call_of
from workbench.host.schema import damaged, opened
from workbench.seal.commit import GENESIS, canonical, chain, parse
from workbench.suspects.remote import SPENT

REPLIES_KEPT = 2_000
"""Stored replies per client, for keys that are sent again; older calls are computed again."""

_TOKENS_OF = "SELECT id FROM tokens WHERE client = ? OR client LIKE ? ORDER BY id"

_NOBODY = hashlib.sha256(b"").digest()


class Store:
    """One SQLite file, one connection, one writer at a time.

    Every change is one transaction, on the disk when its method returns. Budgets are spent by a
    conditional UPDATE: what does not fit changes nothing.
    """

    def __init__(self, path: Path) -> None:
        self._database = opened(path)
        self._lock = threading.RLock()
        self._anchor = Anchor(path.with_suffix(".head"))
        self._appended: Receipt | None = None

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._database.close()

    def admit(self, name: str, access: Access, budget: Budget) -> Client:
        """Adds a client, or gives a known one this access and these bounds; spending stays."""
        bounds = budget.to_json()
        with self.writing() as database:
            database.execute(
                "INSERT INTO clients VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET access = excluded.access",
                (name, ",".join(access.names)),
            )
            for whose in WHOSE:
                for meter in SPENT:
                    database.execute(
                        "INSERT INTO meters (client, whose, meter, bound) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET bound = excluded.bound",
                        (name, whose, meter, bounds.get(meter)),
                    )
            self.append(
                {"kind": "client", "client": name, "access": access.names, "budget": _whole(bounds)}
            )
        return Client(name, access)

    def enroll(self, team: str) -> Client:
        """Adds a team, whose tokens speak for its seats: clients named "team/suspect", each with an
        access and a budget of its own."""
        with self.writing() as database:
            database.execute("INSERT INTO clients VALUES (?, '') ON CONFLICT DO NOTHING", (team,))
        return Client(team, Access.NONE)

    def seat(self, client: Client, suspect: str) -> Client:
        """The seat of a team at a suspect; raises BadParameter, the same whether there is no such
        suspect or no seat for this team, and AccessDenied where a token of one seat asks for
        another."""
        if client.suspect:
            if client.suspect != suspect:
                raise no_suspect()
            return client
        name = f"{client.name}{SEAT}{suspect}"
        row = self._one("SELECT access FROM clients WHERE name = ?", name)
        if row is None:
            raise no_suspect()
        return Client(name, Access.parse(row["access"]))

    def known(self, name: str) -> Client:
        """A client by its name; raises AccessDenied where there is none."""
        row = self._one("SELECT access FROM clients WHERE name = ?", name)
        if row is None:
            raise AccessDenied("no such client", hint="Ask whoever runs the host.")
        return Client(name, Access.parse(row["access"]))

    def adopt(self, client: str, token: str) -> None:
        """Makes a token valid that was chosen outside; it is stored hashed alone. An earlier one of
        the same text goes on being valid."""
        row = (_id(token), _digest(token), client, None, None)
        with self.writing() as database:
            database.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)", row)

    def issue(
        self, client: str, *, expires: float | None = None, access: Access | None = None
    ) -> str:
        """A fresh token, which is stored hashed alone. expires: seconds since 1970; access: less
        than the client's."""
        id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        token = f"wb-{id}-{secret}"
        names = None if access is None else ",".join(access.names)
        with self.writing() as database:
            database.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)",
                (id, _digest(token), client, names, expires),
            )
        return token

    def revoke(self, token: str) -> None:
        """Makes a token worthless."""
        with self.writing() as database:
            database.execute("DELETE FROM tokens WHERE id = ?", (_id(token),))

    def revoke_all(self, client: str) -> int:
        """Makes all tokens of a client worthless, those of its seats and running jobs included,
        from the next request on; says so in the chain."""
        with self.writing() as database:
            ids = [row[0] for row in self._all(_TOKENS_OF, client, f"{client}{SEAT}%")]
            database.executemany("DELETE FROM tokens WHERE id = ?", [(id,) for id in ids])
            self.append({"kind": "revoked", "client": client, "tokens": ids})
        return len(ids)

    def rotate(self, client: str, *, expires: float | None = None) -> str:
        """A fresh token; all earlier ones are worthless in the same moment."""
        with self.writing():
            self.revoke_all(client)
            return self.issue(client, expires=expires)

    def client(self, token: str) -> Client:
        """Whom a token speaks for; AccessDenied, the same one whatever is wrong with it."""
        row = self._one(
            "SELECT digest, client, clients.access, tokens.access AS less, expires "
            "FROM tokens JOIN clients ON client = name WHERE id = ?",
            _id(token),
        )
        same = hmac.compare_digest(_digest(token), _NOBODY if row is None else row["digest"])
        if row is None or not same or (row["expires"] or time.time() + 1) < time.time():
            raise AccessDenied(
                "the token is not valid",
                hint="Ask whoever runs the host for another; send it as a bearer token.",
            )
        access = Access.parse(row["access"])
        less = access if row["less"] is None else Access.parse(row["less"])
        return Client(row["client"], access & less)

    def budget(self, client: str) -> dict[str, dict[str, dict[str, int | None]]]:
        """By whose and meter: used and bound."""
        found: dict[str, dict[str, dict[str, int | None]]] = {whose: {} for whose in WHOSE}
        for row in self._all("SELECT * FROM meters WHERE client = ?", client):
            amounts = {"used": row["used"], "bound": row["bound"]}
            found[row["whose"]][row["meter"]] = amounts
        return found

    def left(self, client: str, whose: Whose, meter: str) -> int | None:
        """What is left of a meter, None where nothing bounds it."""
        sql = "SELECT bound - used FROM meters WHERE client = ? AND whose = ? AND meter = ?"
        row = self._one(sql, client, whose, meter)
        return None if row is None else row[0]

    def call(self, client: str, key: str, verb: str, body: str) -> Call | None:
        """The call that was made under an idempotency key; BadParameter where it was another."""
        row = self._one("SELECT * FROM calls WHERE client = ? AND key = ?", client, key)
        if row is None:
            return None
        if (row["verb"], row["body"]) != (verb, body):
            raise _other_content()
        return call_of(row)

    def reserve(
        self,
        client: str,
        key: str,
        verb: str,
        whose: Whose,
        body: str,
        costs: Mapping[str, int],
        arguments: Mapping[str, Any],
    ) -> Call:
        """Books the most that a call can cost and files it as open; BudgetExceeded, and nothing is
        booked, where one meter does not reach."""
        with self.writing() as database:
            for meter, amount in costs.items():
                booked = database.execute(
                    "UPDATE meters SET used = used + :amount WHERE client = :client "
                    "AND whose = :whose AND meter = :meter "
                    "AND (bound IS NULL OR used + :amount <= bound) RETURNING used",
                    {"amount": amount, "client": client, "whose": whose, "meter": meter},
                ).fetchone()
                if booked is None:
                    left = self.left(client, whose, meter)
                    raise BudgetExceeded(
                        f"{amount} {meter} asked at most, {left} left",
                        hint="Ask for less, or for a larger budget.",
                    )
            row = database.execute(
                "INSERT INTO calls (client, key, verb, whose, body, state, reserved, spent, "
                "status, arguments) VALUES (?, ?, ?, ?, ?, 'open', ?, '{}', 0, ?) RETURNING *",
                (client, key, verb, whose, body, json.dumps(costs), json.dumps(arguments)),
            ).fetchone()
        return call_of(row)

    def settle(
        self, call: Call, spent: Mapping[str, int], status: int, reply: bytes | None, digest: str
    ) -> Receipt:
        """Keeps the answer, gives back what was reserved and not spent, and extends the chain.

        digest: SHA-256 of the whole answer. What was spent is never more than what was reserved.
        """
        costs = {m: min(spent.get(m, 0), amount) for m, amount in call.reserved.items()}
        with self.writing() as database:
            changed = database.execute(
                "UPDATE calls SET state = 'settled', spent = ?, status = ?, reply = ? "
                "WHERE id = ? AND state = 'open'",
                (json.dumps(costs), status, reply, call.id),
            ).rowcount
            if not changed:  # settled before: computed again for a key that was sent again
                return self.receipt()
            for meter, amount in call.reserved.items():
                self._give_back(call, meter, amount - costs[meter])
            database.execute(
                "UPDATE calls SET reply = NULL WHERE client = ? AND reply IS NOT NULL "
                "AND id <= (SELECT id FROM calls WHERE client = ? AND reply IS NOT NULL "
                "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (call.client, call.client, REPLIES_KEPT),
            )
            return self.append(self._event(call, "call", costs, digest))

    def refund(self, call: Call) -> None:
        """Gives back, once, what an open call reserved, and frees its key; for a worker's failure
        alone."""
        with self.writing() as database:
            changed = database.execute(
                "UPDATE calls SET state = 'refunded', key = key || ' refunded ' || id "
                "WHERE id = ? AND state = 'open'",
                (call.id,),
            ).rowcount
            if changed:
                for meter, amount in call.reserved.items():
                    self._give_back(call, meter, amount)
                self.append(self._event(call, "refund", call.reserved, ""))

    def append(self, event: Mapping[str, JSON]) -> Receipt:
        """Adds to the hash chain, within the transaction that is open."""
        last = self.receipt()
        seq = last.seq + 1
        body = {"seq": seq, "at": now(), **event}
        head = chain(last.head, body)
        row = (seq, canonical(body).decode(), head)
        self._database.execute("INSERT INTO events VALUES (?, ?, ?)", row)
        self._appended = Receipt(seq, head)
        return self._appended

    def receipt(self) -> Receipt:
        """The chain as it stands."""
        row = self._one("SELECT seq, head FROM events ORDER BY seq DESC LIMIT 1")
        return Receipt(0, GENESIS) if row is None else Receipt(row["seq"], row["head"])

    def events(self) -> list[dict[str, Any]]:
        """Every event, its chain checked; raises LedgerDamaged at the first that does not fit."""
        found, head = [], GENESIS
        for number, row in enumerate(self._all("SELECT * FROM events ORDER BY seq"), start=1):
            body = parse(row["body"])
            head = chain(head, body)
            if (row["seq"], row["head"]) != (number, head):
                raise damaged(f"its chain breaks at event {number}")
            found.append(body)
        return found

    def check(self) -> None:
        """Raises LedgerDamaged where the chain breaks, events are missing that were acknowledged,
        or a meter stands elsewhere than the calls have moved it."""
        check(self, self._anchor)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nests into the one that is open."""
        with self._lock:
            if self._database.in_transaction:
                yield self._database
                return
            database = self._database
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite itself takes back what a full disk ends
                    database.execute("ROLLBACK")
                self._appended = None
                raise
            self._acknowledge()

    def _acknowledge(self) -> None:
        appended, self._appended = self._appended, None
        if appended is not None:
            self._anchor.write(appended)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The answer to a SELECT."""
        return self._all(sql, *values)

    def _give_back(self, call: Call, meter: str, amount: int) -> None:
        self._database.execute(
            "UPDATE meters SET used = used - ? WHERE client = ? AND whose = ? AND meter = ?",
            (amount, call.client, call.whose, meter),
        )

    def _event(
        self, call: Call, kind: str, costs: Mapping[str, int], digest: str
    ) -> dict[str, JSON]:
        event: dict[str, JSON] = {"kind": kind, "call": call.id, "client": call.client}
        event |= {"verb": call.verb, "of": call.whose, "asked": call.body}
        return event | {"answered": digest, "amounts": dict(costs)}

    def _one(self, sql: str, *values: Any) -> Any:
        with self._lock:
            return self._database.execute(sql, values).fetchone()

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def no_suspect() -> BadParameter:
    """What is said of a suspect that a client may not see, and of one that there is not."""
    return BadParameter("no such suspect", hint="Ask for those that this token lists.")


def _other_content() -> KeyReused:
    return KeyReused(
        "the idempotency key was used for another call",
        hint="Take a fresh key for each call; send the same one only to repeat a call.",
    )


def _id(token: str) -> str:
    """What finds a token: its own part of one that was issued, a hash of one chosen outside."""
    if token.startswith("wb-"):
        return token[3:11]
    return "" if not token else _digest(f"chosen {token}").hex()[:16]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _whole(bounds: Mapping[str, int | float]) -> dict[str, JSON]:
    return {meter: int(bound) for meter, bound in bounds.items() if meter in SPENT}
