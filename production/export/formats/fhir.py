"""FHIR R4 as NDJSON, one file for each type of resource, as Bulk Data has it.

A mention of a disease is a Condition, one of a treatment a MedicationStatement, a disease of a relative a
FamilyMemberHistory. What only might come to be (*hypothetical*) says nothing of a patient and is left out, and so are
treatments of relatives. Each note with resources has a Provenance, which names the version of the model.

Notes do not say who their patient is, unless their metadata has `patient`: a subject without it is a logical
reference, *the patient of that note*, for the receiving system to resolve.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import IO, Any

from production.export.formats import Open, Settings
from production.export.results import Result, Span

SPACE = uuid.UUID("5b0f2c1e-7a53-5d0a-9d0c-2f1f4e0b7c11")
"""In which the identifiers of resources are drawn (UUID version 5): the same resource has the same always."""

_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

_CONDITION = {
    "present": ("confirmed", "active"),
    "historical": ("confirmed", "inactive"),
    "negated": ("refuted", None),
    "possible": ("provisional", None),
}
"""Verification and clinical status; a mention that is not accepted is no better than unconfirmed, unless in doubt."""

_MEDICATION = {"present": "active", "historical": "completed", "negated": "not-taken", "possible": "unknown"}
Resource = dict[str, Any]


class Resources:
    """Writes `Condition.ndjson` and its like; a file is there when it has a resource."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._open, self._settings = open, settings
        self._files: dict[str, IO[bytes]] = {}

    def add(self, results: Sequence[Result]) -> None:
        """Write the resources of each note, its Provenance last."""
        for result in results:
            for resource in resources_of(result, self._settings):
                kind = resource["resourceType"]
                if kind not in self._files:
                    self._files[kind] = self._open(f"{kind}.ndjson")
                self._files[kind].write(json.dumps(resource, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def resources_of(result: Result, settings: Settings) -> Iterator[Resource]:
    """Yield the resources that a result makes; none when it says nothing of a patient or relative."""
    makers = {settings.disease: _of_disease, settings.treatment: _of_treatment}
    made = []
    for span in result.mentions:
        resource = makers[span.label](result, span) if span.label in makers else None
        if resource is not None:
            made.append(resource)
            yield resource
    if made:
        yield _provenance(result, made)


def _of_disease(result: Result, span: Span) -> Resource | None:
    if span.assertion == "family":
        return _of_relative(result, span)
    if span.assertion not in _CONDITION:
        return None
    verification, clinical = _CONDITION[span.assertion]
    if not span.accepted and verification != "provisional":
        verification = "unconfirmed"
    resource = _begin("Condition", result, span)
    if clinical:
        resource["clinicalStatus"] = _coded(_CLINICAL, clinical)
    resource["verificationStatus"] = _coded(_VERIFICATION, verification)
    return resource | {
        "code": {"text": span.surface},
        "subject": _patient(result),
        "recordedDate": _instant(result),
        "evidence": [{"detail": [_note(result)]}],
    }


def _of_relative(result: Result, span: Span) -> Resource:
    """Return a disease of a relative; which one the record does not know."""
    return _begin("FamilyMemberHistory", result, span) | {
        "status": "partial",
        "patient": _patient(result),
        "date": _instant(result),
        "relationship": _coded(_ROLE, "FAMMEMB"),
        "reasonReference": [_note(result)],
        "condition": [{"code": {"text": span.surface}}],
    }


def _of_treatment(result: Result, span: Span) -> Resource | None:
    if span.assertion not in _MEDICATION:
        return None
    return _begin("MedicationStatement", result, span) | {
        "status": _MEDICATION[span.assertion] if span.accepted else "unknown",
        "medicationCodeableConcept": {"text": span.surface},
        "subject": _patient(result),
        "dateAsserted": _instant(result),
        "derivedFrom": [_note(result)],
    }


def _provenance(result: Result, made: Sequence[Resource]) -> Resource:
    return {
        "resourceType": "Provenance",
        "id": _id("Provenance", result),
        "target": [{"reference": f"{resource['resourceType']}/{resource['id']}"} for resource in made],
        "recorded": _instant(result),
        "agent": [
            {
                "type": _coded(_AGENT, "assembler"),
                "who": {
                    "identifier": {"system": "urn:behealthy:model-version", "value": result.key.model_version},
                    "display": f"BeHealthy extractor, model version {result.key.model_version}",
                },
            }
        ],
        "entity": [{"role": "source", "what": _note(result)}],
    }


def _begin(kind: str, result: Result, span: Span) -> Resource:
    return {
        "resourceType": kind,
        "id": _id(kind, result, span.number),
        "extension": [
            {"url": "urn:behealthy:offsets", "valueString": f"{span.start}-{span.end}"},
            {"url": "urn:behealthy:confidence", "valueDecimal": round(span.confidence, 4)},
            {"url": "urn:behealthy:assertion", "valueCode": span.assertion},
        ],
    }


def _id(*parts: object) -> str:
    """Return an identifier; `parts` are strings, numbers and a `Result`."""
    named = [json.dumps(part.key if isinstance(part, Result) else part) for part in parts]
    return str(uuid.uuid5(SPACE, " ".join(named)))


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _instant(result: Result) -> str:
    return result.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _note(result: Result) -> Resource:
    """Refer to the note by what its source calls it."""
    system = f"urn:behealthy:source:{uuid.uuid5(SPACE, result.source)}"
    return {"type": "DocumentReference", "identifier": {"system": system, "value": result.source_id}}


def _patient(result: Result) -> Resource:
    patient = result.metadata.get("patient")
    if isinstance(patient, str) and _ID.fullmatch(patient):
        return {"reference": f"Patient/{patient}"}
    note = _note(result)["identifier"]
    return {"type": "Patient", "identifier": {"system": "urn:behealthy:patient-of-note", "value": _joined(note)}}


def _joined(identifier: Resource) -> str:
    return f"{identifier['system']}|{identifier['value']}"
