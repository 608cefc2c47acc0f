package destinationrule.subset_without_labels

findings contains {
	"path": sprintf("spec.subsets[%d]", [i]),
	"message": sprintf("the subset %s has no labels, so it stands for all endpoints of %s", [subset.name, input.spec.host]),
} if {
	some i, subset in input.spec.subsets
	count(object.get(subset, "labels", {})) == 0
}
