package annotation.invalid_value

annotated contains ["metadata.annotations", input.metadata.annotations]

annotated contains ["spec.template.metadata.annotations", input.spec.template.metadata.annotations]

# istioctl does not look into pod templates: its code stands for the rest alone.
codes := {"metadata.annotations": ["IST0125"], "spec.template.metadata.annotations": []}

findings contains {
	"aliases": codes[path],
	"path": sprintf("%s[%q]", [path, name]),
	"message": sprintf("%s: %s", [name, mesh.annotation_problem(name, value)]),
} if {
	some [path, annotations] in annotated
	some name, value in annotations
	is_string(value)
}
