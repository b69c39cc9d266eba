"""What was found in notes, in the formats that hospitals take: OMOP, FHIR, tables, annotation tools."""
