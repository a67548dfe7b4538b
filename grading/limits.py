"""How much time, memory, processes and disk a submission may use."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one submission; sizes are in bytes, times in seconds of the clock."""

    cell: float = 10.0  # one cell of the student, or one test cell
    submission: float = 120.0  # all of them
    memory: int = 2_000_000_000  # of each process, and of all of them together
    processes: int = 24  # threads count, too
    disk: int = 64_000_000  # all that it writes
    notebook: int = 200_000_000  # a larger file is not even read

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")

    def of_a_process(self) -> dict[str, int]:
        """What the operating system is asked to hold each process to."""
        return {
            "memory": self.memory,
            "processes": self.processes,
            "file": self.disk,
            "seconds": int(self.submission) + 5,
            "files": 256,
        }
