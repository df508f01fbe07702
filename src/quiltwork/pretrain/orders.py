"""What a run's owner says in it, beside its server: pause, resume, amend."""

from __future__ import annotations

from pathlib import Path

from quiltwork.errors import UserError
from quiltwork.keys import default_identity, short
from quiltwork.log import Body, Speaker, Speakers
from quiltwork.log.http import HttpLog
from quiltwork.pretrain import meeting
from quiltwork.pretrain.serve import INVITATION_FILE, ROOM, parse_invitation
from quiltwork.pretrain.voice import WriterVoice
from quiltwork.run import Run, RunLocked


def give(run: str, body: Body) -> None:
    """Say it in the log of a run, which is a folder or a log's address: through its server if that runs, else at once.

    The fold refuses it from anybody but the owner, whose identity this user must have. Raises UserError.
    """
    if meeting.is_log(run):
        _give_in(run, body)
    else:
        _give(Path(run), body)


def _give_in(address: str, body: Body) -> None:
    log, identity = meeting.enter(address), default_identity()
    try:
        owner = next(log.read(0, 1)).author
        if owner != identity.author:
            raise UserError(
                f"The run belongs to {short(owner)}, and you are {short(identity.author)}: nobody would heed you. QUILTWORK_HOME "
                "names the folder that holds the owner's identity.key."
            )
        WriterVoice(log, identity).say(body)
    finally:
        log.close()


def _give(path: Path, body: Body) -> None:
    try:
        with Run.open(path, drive=True) as run:
            if run.room != ROOM:
                raise UserError(f"{path} is a run of {run.room}, not of pretrain.")
            run.writer.append(body)
            return
    except RunLocked:
        pass
    invitation = path / INVITATION_FILE
    if not invitation.exists():
        raise UserError(f"{path} is driven by another process, but {invitation} does not tell where it listens.")
    url, token = parse_invitation(invitation.read_text().strip())
    log = HttpLog(f"{url}/log", token)
    try:
        speakers = Speakers()
        for entry in log.read():
            speakers.attribute(entry)
        identity = default_identity()
        assert speakers.log is not None
        speaker = Speaker(identity, speakers.log, speakers.last_number(identity.author) + 1)
        for outcome in log.submit(speaker.say(body)).refused:
            raise UserError(f"The run's log refused it: {outcome.why}.")
    finally:
        log.close()
