#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Can the properties of tests/sim/schedules.c fail? Breaks the state machine on purpose, one rule at a time, in a copy, and
asks that the property that guards this rule fails. Prints TAP.

usage: mutants.py [COUNT]    schedules for each; 3,000
"""

import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
CONNECTED, PROVEN, TRIES, POLICY, BEST, AT_ONCE, SLEEP = range(1, 8)

# what is broken, what stands in failover.c, what stands there instead, the property that must fail
MUTANTS = (
    ("an endpoint that fails is never tried again", "e->next_try_ms = now_ms + pause;", "e->next_try_ms = UINT64_MAX;", CONNECTED),
    ("pauses grow without limit", "if (pause > f->timing.retry_most_ms)", "if (pause > 100 * (uint64_t)f->timing.retry_most_ms)",
     CONNECTED),
    ("silent connects are never given up", "< f->timing.connect_deadline_ms ? nothing : give_up(f, link, now_ms);\n}\n\n/* may",
     "< UINT64_MAX ? nothing : give_up(f, link, now_ms);\n}\n\n/* may", CONNECTED),
    ("a session's end is not noticed", "                f->active = FAILOVER_NONE;\n        f->leaving", "                ;\n        f->leaving",
     CONNECTED),
    ("better endpoints always go first", "return now_ms - f->endpoints[endpoint].next_try_ms", "return false && now_ms", CONNECTED),
    ("the session moves without a dwell", "uint64_t dwell_ms = f->endpoints[l->endpoint].dwell_ms, up_ms", "uint64_t dwell_ms = 0, up_ms",
     PROVEN),
    ("being open counts as a proof", "return l->alive_ms - l->since_ms < dwell_ms ? ask(f, link, now_ms) : use(f, link, now_ms);",
     "return use(f, link, now_ms);", PROVEN),
    ("the wrong link is closed after a move", "return close_link(f, 1 - f->active);", "return close_link(f, f->active);", PROVEN),
    ("no floor below the pauses", "uint64_t base = f->timing.retry_first_ms, floor = base << failures,",
     "(void)failures; uint64_t base = f->timing.retry_first_ms, floor = base,", TRIES),
    ("a candidate that is given up costs no pause", "        back_off(f, f->links[link].endpoint, now_ms);\n        return close_link",
     "        (void)now_ms;\n        return close_link", TRIES),
    ("every loss makes all endpoints due", "e->next_try_ms < f->move_ms : was_stable)", "e->next_try_ms < f->move_ms : true)", TRIES),
    ("the session moves to worse endpoints, too", "bool better = rank(f, l->endpoint, now_ms) < rank(f, f->links[f->active].endpoint, now_ms);",
     "bool better = true;", POLICY),
    ("a pause is not kept", "return !f->paused;", "return true;", POLICY),
    ("patience is over at once", "now_ms - e->down_since_ms >= f->patience_ms", "now_ms >= e->down_since_ms", POLICY),
    ("endless patience ends", "e->uplink_down && f->patience_ms > 0 &&", "e->uplink_down &&", POLICY),
    ("patience never ends", "now_ms - e->down_since_ms >= f->patience_ms", "now_ms < e->down_since_ms", BEST),
    ("a relay's \"up\" is not heard", "        e->uplink_down = down;", "        e->uplink_down = e->uplink_down || down;", BEST),
    ("better endpoints are not probed", "|| endpoint < current;", "&& endpoint > current;", BEST),
    ("the dwell does not grow", "uint64_t longer = (uint64_t)e->dwell_ms * 2;", "uint64_t longer = (uint64_t)e->dwell_ms;", BEST),
    ("after a stable session, too, the pauses of others count", "e->next_try_ms < f->move_ms : was_stable)",
     "e->next_try_ms < f->move_ms : false)", AT_ONCE),
    ("the first move takes twice the spread", "f->move_ms = now_ms + random_below(f, f->spread_ms);",
     "f->move_ms = now_ms + 2 * (uint64_t)f->spread_ms;", AT_ONCE),
    ("the first move's moment is no reason to wake",
     "upcoming(f->leaving ? now_ms : UINT64_MAX, f->move_ms, now_ms);", "f->leaving ? now_ms : UINT64_MAX;", SLEEP),
    ("the end of a pause is no reason to wake", "best = upcoming(best, e->next_try_ms, now_ms);", ";", SLEEP),
    ("the end of a dwell is no reason to wake", "best = upcoming(best, l->since_ms + f->endpoints[l->endpoint].dwell_ms, now_ms);", ";",
     SLEEP),
    ("the end of patience is no reason to wake", "best = upcoming(best, e->down_since_ms + f->patience_ms, now_ms);", ";", SLEEP),
    ("the session's own proof is no reason to wake", "best = upcoming(best, f->links[f->active].since_ms + session_proof_ms(f), now_ms);",
     ";", SLEEP),
    ("a question without an answer is no reason to wake",
     "best = upcoming(best, l->asked_ms + f->timing.connect_deadline_ms, now_ms);", ";", SLEEP),
)


def failing(source, count, folder):
    """numbers of the properties that fail with this state machine; None: it does not compile"""
    (folder / "failover.c").write_text(source)
    program = folder / "schedules"
    made = subprocess.run(["cc", "-O1", "-std=c11", f"-I{TOP}/librelay/include", f"-I{TOP}/firmware", f"-I{TOP}/tests/sim",
                           TOP / "tests/sim/schedules.c", TOP / "tests/sim/world.c", folder / "failover.c", "-o", program],
                          capture_output=True, text=True)
    if made.returncode:
        print("# " + made.stderr.replace("\n", "\n# "))
        return None
    run = subprocess.run([program, "--count", count], capture_output=True, text=True, timeout=120)
    return {int(number) for number in re.findall(r"^not ok (\d+)", run.stdout, re.MULTILINE)}


def main():
    count = sys.argv[1] if len(sys.argv) > 1 else "3000"
    source = (TOP / "firmware/app/failover.c").read_text()
    bad = 0
    print(f"1..{len(MUTANTS) + 1}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        whole = failing(source, count, folder)
        bad += whole != set()
        print(f"{'ok' if whole == set() else 'not ok'} 1 - nothing fails when nothing is broken")
        for number, (what, old, new, wanted) in enumerate(MUTANTS, 2):
            found = failing(source.replace(old, new), count, folder) if source.count(old) == 1 else None
            good = found is not None and wanted in found
            bad += not good
            print(f"{'ok' if good else 'not ok'} {number} - {what}: property {wanted}", flush=True)
            if not good:
                print(f"# failed: {sorted(found)}" if found is not None else
                      f"# found {source.count(old)} times in failover.c, or not compiled: {old}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
