"""The launch context as a token response states it, and the style that it points to.

SMART App Launch, "Launch context arrives with your access_token" and "Styling".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.reference.oauth.launches import LaunchContext
from harness.reference.oauth.scopes import LAUNCH, LAUNCH_PATIENT
from harness.reference.smart import SmartVersion

if TYPE_CHECKING:
    from harness.reference.instance import Instance

STYLE_PATH = "/style/smart_v1.json"
STYLE = {
    "color_background": "#f2f5f7",
    "color_error": "#b3261e",
    "color_highlight": "#0b5c8a",
    "color_modal_backdrop": "#16222c",
    "color_success": "#1b6e3c",
    "color_text": "#16222c",
    "dim_border_radius": "8px",
    "dim_font_size": "16px",
    "dim_spacing_size": "16px",
    "font_family_body": "system-ui, sans-serif",
    "font_family_heading": "system-ui, sans-serif",
}
"""What `smart_style_url` answers; the colours are those of the pages."""


def launch_context(
    instance: Instance, context: LaunchContext, granted: tuple[str, ...]
) -> dict[str, Any]:
    """The members of a token response, and of an introspection, that hold the context.

    Apps get the whole window, so the patient's banner is theirs to show.
    """
    members: dict[str, Any] = {}
    unasked = not {LAUNCH, LAUNCH_PATIENT} & set(granted)
    silent = unasked and instance.has("patient-scope-without-context")
    if context.patient is not None and not silent:
        # Only a launch out of the EHR has an intent.
        handed = context.intent is not None and instance.has("ehr-patient-as-reference")
        members["patient"] = f"Patient/{context.patient}" if handed else context.patient
        members["need_patient_banner"] = "true" if instance.has("banner-as-string") else True
    if context.encounter is not None and not instance.has("encounter-missing"):
        prefix = "Encounter/" if instance.has("encounter-as-reference") else ""
        members["encounter"] = f"{prefix}{context.encounter}"
    if context.intent is not None:
        as_object = instance.has("intent-as-object")
        members["intent"] = {"code": context.intent} if as_object else context.intent
    if not instance.has("style-url-missing"):
        host = "" if instance.has("style-url-relative") else instance.issuer
        members["smart_style_url"] = f"{host}{STYLE_PATH}"
    if instance.smart is SmartVersion.V1:
        return members
    if context.fhir_context:
        members["fhirContext"] = _fhir_context(instance, context.fhir_context)
    if context.tenant is not None:
        members["tenant"] = 1 if instance.has("tenant-as-number") else context.tenant
    return members


def _fhir_context(instance: Instance, references: tuple[str, ...]) -> list[Any]:
    """Strings in 2.0.0, objects in 2.2.0."""
    as_objects = instance.smart is SmartVersion.V2_2
    if instance.has("fhir-context-wrong-form"):
        as_objects = not as_objects
    if not as_objects:
        return list(references)
    return [{"reference": each, "type": each.partition("/")[0]} for each in references]
