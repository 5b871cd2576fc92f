"""The process of `multirm` and `python -m multirm`."""

from multirm.running import interrupts


def main() -> None:
    """Run the command that this process was started with."""
    interrupts.end_at_once()
    # Not before: importing takes longer than it takes to press Ctrl-C.
    from multirm.cli import main as run

    run()


if __name__ == "__main__":
    main()
