package annotation.misplaced

annotated contains ["metadata.annotations", input.type, input.metadata.annotations]

annotated contains ["spec.template.metadata.annotations", "Pod", input.spec.template.metadata.annotations]

# istioctl does not look into pod templates: its code stands for the rest alone.
codes := {"metadata.annotations": ["IST0107"], "spec.template.metadata.annotations": []}

findings contains {
	"aliases": codes[path],
	"path": sprintf("%s[%q]", [path, name]),
	"message": sprintf("%s has an effect on %s only, not on %s", [name, concat(" and ", sort(kinds)), kind]),
} if {
	some [path, kind, annotations] in annotated
	some name, _ in annotations
	kinds := mesh.annotations()[name].kinds
	count(kinds) > 0
	not kind in kinds
	not "Any" in kinds
	not "Unknown" in kinds
}
