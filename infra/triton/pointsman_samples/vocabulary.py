"""Words that the generated texts are made of: subjects, each with its concepts in several forms."""

from typing import Final


def _concepts(block: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in block.strip().splitlines())


# One concept per line, in forms that can stand after "the". Some belong to two subjects.
SUBJECTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "concurrency": _concepts("""
        thread threads threading
        lock locks locking
        deadlock deadlocks
        queue queues queueing
        schedule schedules scheduling scheduler
        task tasks tasking
        worker workers workload
        waiter waiters waiting
        signal signals signalling
        cancelling cancellation cancellations
        semaphore semaphores
        process processes multiprocessing
        parallelism parallelisation
    """),
    "databases": _concepts("""
        table tables
        row rows
        query queries querying
        index indexes indexing
        record records recording
        database databases
        transaction transactions
        insert inserts inserting insertion
        column columns
        schema schemas
        cache caches caching
        key keys
        rollback rollbacks
    """),
    "files": _concepts("""
        file files filename
        directory directories
        path paths pathname
        archive archives archiving
        copy copies copying
        renaming renames
        deletion deletions deleting
        permission permissions
        disk disks diskette
        compression compressing compressor
        backup backups
        link links linking
        mount mounts mounting
    """),
    "mathematics": _concepts("""
        number numbers numbering
        integral integrals integration
        matrix matrices
        vector vectors
        root roots
        fraction fractions
        statistic statistics
        probability probabilities
        equation equations
        rounding roundings
        multiplication multiplications multiplier
        division divisions dividing
        index indexes indexing
    """),
    "networking": _concepts("""
        socket sockets
        server servers
        client clients
        request requests requesting
        address addresses addressing
        packet packets
        connection connections connecting
        port ports
        proxy proxies
        route routes routing router
        protocol protocols
        download downloads downloading
        queue queues queueing
    """),
    "security": _concepts("""
        password passwords
        key keys
        encryption encrypting
        certificate certificates
        token tokens
        hash hashes hashing
        signature signatures
        attack attacks attacker
        secret secrets
        verification verifying verifier
        login logins
        permission permissions
        trust trustee
    """),
    "text": _concepts("""
        string strings
        character characters
        parsing parser parsers
        encoding encodings encoder
        token tokens tokeniser
        pattern patterns
        match matches matching
        format formats formatting formatter
        translation translations translator
        line lines
        word words wording
        splitting splitter splitters
        record records recording
    """),
    "time": _concepts("""
        clock clocks
        date dates dating
        calendar calendars
        timezone timezones
        hour hours
        timer timers timing
        delay delays delaying
        timestamp timestamps
        schedule schedules scheduling scheduler
        duration durations
        month months
        expiry expiration expirations
        waiter waiters waiting
    """),
}

MODIFIERS: Final = (
    "new", "slow", "large", "old", "broken", "simple", "second", "remote", "small", "common",
    "careful", "usual", "quiet", "first", "famous", "cheap", "rare", "safe", "strict", "local",
)  # fmt: skip
VERBS: Final = (
    "spoiled", "changed", "kept", "replaced", "explained", "needed", "controlled", "improved",
    "limited", "followed", "avoided", "caused", "carried", "reached", "stopped", "tested",
)  # fmt: skip

# What people write about anything.
SMALL_TALK: Final = (
    "We met on the third floor to speak about the coming season.",
    "Thanks to everyone who sent remarks on the earlier draft.",
    "A longer report for the management will come out in spring.",
    "The budget for new chairs was discussed at length.",
    "Coffee was served, and the meeting went on after lunch.",
    "Most people agreed that the report reads well.",
    "Photographs of the evening hang beside the kitchen door.",
    "Our partners abroad asked for printed handouts by post.",
    "The next gathering takes place in the large hall.",
    "Nobody remembered who had written the introduction.",
    "Visitors are welcome and should ask at the front desk.",
    "The weather on that day kept several guests at home.",
    "She has worked here since the house was built.",
    "Parking is free after six in the evening.",
)
