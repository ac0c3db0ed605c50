"""What this project costs, beside what was aimed at and beside its peers.

    python -m tools.bench                       everything, and the tables of docs/speed.md written anew
    python -m tools.bench --quick               in fifteen minutes: fewer rounds, a smaller network, fewer records
    python -m tools.bench --subject methods --only "RISE, openvino" "CAM family together"
    python -m tools.bench --scaling --images=cifar10 --model_path=resnet8.keras

Peers stand beside it where they are installed: python -m pip install --no-deps -r requirements-peers.txt
"""

import argparse
import sys

import constants
import utils
from tools.bench import drawn_pages, judging, many_records, methods, whole_runs
from tools.bench.clocks import describe_machine
from tools.bench.rows import Table, write_tables

PAGE, PLOT = whole_runs.ROOT / "docs" / "speed.md", whole_runs.ROOT / "docs" / "images" / "scaling.png"
SUBJECTS = ("methods", "judging", "figures", "runs", "records")
ROUNDS, N_RECORDS = {False: 7, True: 2}, {False: 1_000_000, True: 100_000}  # by whether it is to be quick
MODELS = {False: "ResNet", True: "MobileNetV2"}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: fifteen minutes on two cores")
    parser.add_argument("--subject", nargs="+", choices=SUBJECTS, help="only these (default: all)")
    parser.add_argument("--scaling", action="store_true", help="as --subject runs")
    parser.add_argument("--only", nargs="+", metavar="TITLE", choices=[one.title for one in methods.TIMINGS])
    parser.add_argument("--rounds", type=int, help=f"of each row (default: {ROUNDS[False]}, quick: {ROUNDS[True]})")
    parser.add_argument(
        "--model_name", choices=constants.ZOO, help=f"of methods (default: {MODELS[False]}, quick: {MODELS[True]})"
    )
    parser.add_argument("--images", help="a folder whose images, with some noise, the runs explain (default: drawn)")
    parser.add_argument("--model_path", help="the network of the runs (default: the embedded one)")
    parser.add_argument("--n_records", type=int, help="images of the synthetic records (default: 1,000,000)")
    parser.add_argument("--keep_page", action="store_true", help="print alone; docs/speed.md stays as it is")
    args = parser.parse_args()
    if args.only and (args.subject or args.scaling):
        parser.error("--only is of methods: leave --subject and --scaling out")
    args.subject = ["methods"] if args.only else ["runs"] if args.scaling else args.subject or list(SUBJECTS)
    args.rounds = args.rounds or ROUNDS[args.quick]
    args.model_name = args.model_name or MODELS[args.quick]
    args.n_records = args.n_records or N_RECORDS[args.quick]
    return args


def measure(subject: str, args: argparse.Namespace) -> Table:
    """The rows of a subject."""
    if subject == "methods":
        titles = args.only or [one.title for one in methods.TIMINGS]
        return methods.measure(methods.Bench(args.model_name), args.rounds, titles)
    if subject == "judging":
        return judging.measure(args.rounds)
    if subject == "figures":
        return drawn_pages.measure(args.rounds)
    if subject == "records":
        return many_records.measure(args.n_records)
    table, costs = whole_runs.measure(whole_runs.SIZES, args.images, args.model_path)
    if not args.keep_page:
        whole_runs.draw_scaling(costs, PLOT)
    return table


def main() -> int:
    """Exit code 0."""
    args = parse_arguments()
    utils.load_tensorflow()
    tables = {}
    for subject in args.subject:
        machine = describe_machine()  # how busy it is now
        table = measure(subject, args)
        tables[subject] = Table(f"{table.head} {machine}.", table.rows)
        print(f"\n{tables[subject].head}")
        for row in table.rows:
            print(row, flush=True)
    if not args.keep_page:
        print(f"\n{write_tables(PAGE, tables, keeps_rows=bool(args.only))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
