"""Push: Subscriptions of FHIR R4 with the channel rest-hook.

http://hl7.org/fhir/R4/subscription.html
"""
