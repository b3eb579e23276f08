"""Images for everything that the verify page can be asked to show, each with the service that signed some of them."""

import functools
import io
import random
from collections.abc import Callable
from datetime import timedelta

import c2pa

import authorities
import salvage
import stamps
from c2pa_writer import Assertion, Manifest, assertion, created_action, json_assertion, signed_image
from containers import manifest_store, parts
from cose import Signature
from credlink import ROOT, SOURCE_TYPES, Service
from hostile import leaf, root, stamp_root, stamper
from images import chunk, saved, scene
from photographs import photograph
from validators import PURPOSES

LEGACY = ROOT / "lib/pipeline/src/legacy/vectors"

CREATOR, TITLE = "Zoë Ağaoğlu", "Ferry at dawn"

CRAFTED = "<img src=x onerror=alert(1)>\u202egnp.exe\u2066 &amp; \"quoted\" "
"""A title that wants to be HTML and to turn the text around."""

GENERATED = f"{SOURCE_TYPES}trainedAlgorithmicMedia"


def anchors() -> str:
    """The roots of signers that the service is to trust besides its own."""
    return root().pem + (LEGACY / "root.pem").read_text()


def stamp_anchors() -> str:
    """The roots of time-stamp authorities."""
    return stamp_root().pem


@functools.cache
def photo(name: str = "rocket", width: int = 480, kind: str = "JPEG") -> bytes:
    """A photograph without a credential, small enough for a request under any limit."""
    picture = photograph(name).convert("RGB")
    picture.thumbnail((width, width))
    return saved(picture, kind, **({"quality": 80} if kind != "PNG" else {}))


def trusted(service: Service) -> bytes:
    """Signed here, with everything that a caller may say."""
    return service.sign(
        photo(), creator=CREATOR, title=TITLE, digitalSourceType="digitalCapture", training="notAllowed"
    )


def generated(service: Service) -> bytes:
    """Signed here as made by a model."""
    return service.sign(photo("astronaut"), digitalSourceType="trainedAlgorithmicMedia", creator=CREATOR)


def plain(service: Service) -> bytes:
    """Signed here without a word on what it is."""
    return service.sign(photo("coffee", kind="WEBP"))


def signed_twice(service: Service) -> bytes:
    """Signed here with a credential that it had before."""
    return service.sign(history(service), creator=CREATOR)


def tampered(service: Service) -> bytes:
    """One byte of the picture is not what it was."""
    image = bytearray(trusted(service))
    image[-200] ^= 1
    return bytes(image)


def stripped(service: Service) -> bytes:
    """The manifest store was taken out, nothing else."""
    return salvage.store_dropped(trusted(service), random.Random(1))


def reencoded(service: Service) -> bytes:
    """Saved again by a program that keeps XMP."""
    return salvage.reencoded_with_xmp(trusted(service), random.Random(2))


def damaged(service: Service) -> bytes:
    """The store is there, and part of it was overwritten."""
    return salvage.noise_in_store(trusted(service), random.Random(4))


def original(service: Service) -> bytes:
    """What was sent to be signed."""
    trusted(service)
    return photo()


def replaced(service: Service) -> bytes:
    """A credential of somebody else that claims the proof of an image that was signed here."""
    uri = service.post_sign(photo("chelsea")).headers["X-Proof-Uri"]
    proof = assertion("com.credlink.proof", {"uri": uri, "expiresAt": "2099-01-01T00:00:00Z"})
    return _foreign(photo("chelsea"), proof)


def exchanged(service: Service) -> bytes:
    """Another picture that names the proof of one that was signed here."""
    packet = _xmp(trusted(service))
    return saved(photograph("chelsea"), "JPEG", quality=80, xmp=packet)


def unsigned(_: Service) -> bytes:
    """No credential."""
    return saved(scene(160, 120, seed=9), "PNG")


def unknown(_: Service) -> bytes:
    """Right in everything, and its signer leads to nobody who is trusted."""
    return signed_image(photo("coffee"), Manifest(Signature(authorities.root("Elsewhere").leaf(name="Studio Elsewhere"))))


def stamped(_: Service) -> bytes:
    """A trusted signer and a trusted time-stamp."""
    when = authorities.NOW - timedelta(days=40)
    return signed_image(photo("coffee"), Manifest(Signature(leaf(), stamp=stamps.made(stamper(), when))))


def expired(_: Service) -> bytes:
    """The signer's certificate is over, and nothing tells when it signed."""
    over = authorities.NOW - timedelta(days=20)
    return signed_image(photo("coffee"), Manifest(Signature(leaf_until(over))))


def leaf_until(when) -> authorities.Holder:
    """A signer under the trusted root until then."""
    return root().leaf(name="Leaf of last year", not_before=when - timedelta(days=300), not_after=when)


def crafted(_: Service) -> bytes:
    """Says things that are not meant for reading."""
    about = {"@context": {"dc": "http://purl.org/dc/elements/1.1/"}, "dc:title": CRAFTED, "dc:creator": ["long " * 2_000]}
    return _foreign(photo("coffee"), json_assertion("cawg.metadata", about))


def history(_: Service) -> bytes:
    """An edit of one picture with another put into it, made by c2pa-python, which keeps thumbnails."""
    parent = _by_c2pa_python(
        photo("chelsea"), "Cat, as taken", {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPES}digitalCapture"}
    )
    element = _by_c2pa_python(photo("astronaut"), "Astronaut", {"action": "c2pa.created", "digitalSourceType": GENERATED})
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["before"]}}
    placed = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["element"]}}
    return _by_c2pa_python(
        photo("chelsea"),
        "Cat in orbit",
        opened,
        {"action": "c2pa.color_adjustments"},
        placed,
        before=("parentOf", parent, "Cat, as taken"),
        element=("componentOf", element, "Astronaut"),
    )


def legacy(_: Service) -> bytes:
    """A PNG with a proof of the first system in the chunk that it wrote."""
    picture = (LEGACY / "picture.png").read_bytes()
    manifest = (LEGACY / "manifest.json").read_bytes()
    end = picture.rindex(b"IEND") - 4
    return picture[:end] + chunk(b"c2pA", manifest) + picture[end:]


STATES: dict[str, Callable[[Service], bytes]] = {
    make.__name__: make
    for make in (
        trusted,
        generated,
        plain,
        signed_twice,
        tampered,
        stripped,
        reencoded,
        damaged,
        original,
        replaced,
        exchanged,
        unsigned,
        unknown,
        stamped,
        expired,
        crafted,
        history,
        legacy,
    )
}
"""How each state is made, by its name."""


def _foreign(image: bytes, *further: Assertion) -> bytes:
    return signed_image(image, Manifest(Signature(leaf()), assertions=[created_action(), *further]))


def _xmp(jpeg: bytes) -> bytes:
    header = b"http://ns.adobe.com/xap/1.0/\0"
    (packet,) = [content[4 + len(header) :] for _, content in parts(jpeg) if content[4:].startswith(header)]
    return packet


def _by_c2pa_python(image: bytes, title: str, *actions: dict, **ingredients: tuple[str, bytes, str]) -> bytes:
    chain = "".join(map(authorities.pem, leaf().chain))
    info = c2pa.C2paSignerInfo(b"es256", chain.encode(), leaf().key_pem.encode(), None)
    definition = {
        "claim_generator_info": [{"name": "Editor", "version": "1.0"}],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
    settings = {
        "verify": {"verify_after_sign": False, "verify_trust": True},
        "trust": {"trust_anchors": root().pem, "trust_config": PURPOSES},
        "builder": {"thumbnail": {"long_edge": 160}},
    }
    signed = io.BytesIO()
    with c2pa.Context(c2pa.Settings.from_dict(settings)) as context:
        with c2pa.Builder(definition, context=context) as builder:
            for name, (relationship, file, ingredient_title) in ingredients.items():
                says = {"title": ingredient_title, "relationship": relationship, "label": name}
                builder.add_ingredient(says, "image/jpeg", io.BytesIO(file))
            builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(image), signed)
    return signed.getvalue()
