"""Streams of measurements: their short forms, and the events of the peers' job."""

from pathlib import Path

from benchmarks.streams import Stream, demo_stream, peers_stream
from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Interaction, decode_event


def _lines(path: str) -> list[bytes]:
    return Path(path).read_bytes().splitlines()


def _is_beginning_of_whole(stream: Stream) -> bool:
    short, whole = _lines(stream.files.short), _lines(stream.files.whole)
    assert (len(short), len(whole)) == (stream.short_events, stream.events)
    assert stream.measured == len(whole) - len(short) > 0
    return whole[: len(short)] == short


def test_short_form_is_the_beginning_of_the_stream(tmp_path: Path) -> None:
    """The difference of two runs is the cost of the events after the beginning."""
    assert _is_beginning_of_whole(demo_stream(tmp_path, 300))
    assert _is_beginning_of_whole(peers_stream(tmp_path, 300))


def test_every_event_of_the_peers_job_is_feedback_on_all_facets(tmp_path: Path) -> None:
    """Consent is granted by the catalogue, and no topic is sensitive, so each event is learned."""
    stream = peers_stream(tmp_path, 100)
    catalogue = Catalogue.load(stream.catalogue)
    assert catalogue.consent.default == "granted"
    for line in _lines(stream.files.whole):
        event = decode_event(line)
        assert isinstance(event, Interaction)
        assert event.served is not None
        assert event.served.keys() == catalogue.facets.keys()
        assert event.feedback is not None
        assert event.topic not in catalogue.topics.sensitive
