package workloadgroup.same_labels

findings contains {
	"path": "spec.metadata.labels",
	"message": sprintf("the labels are those of %s too", [concat(", ", sort([g.name | some g in others]))]),
	"related": [{"id": g.id, "path": "spec.metadata.labels", "message": "the same labels"} | some g in others],
} if {
	labels := input.spec.metadata.labels
	count(labels) > 0
	others := {g |
		some g in mesh.resources_in("WorkloadGroup", input.namespace)
		g.id != input.id
		g.spec.metadata.labels == labels
	}
	count(others) > 0
}
