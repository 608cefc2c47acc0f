package backendtlspolicy.not_accepted

findings contains {"path": problem.path, "message": sprintf("%s (%s)", [problem.message, problem.reason])} if {
	some problem in mesh.problems(input.id)
	problem.about in {"ancestor", "parent"}
	problem.type == "Accepted"
	problem.reason != "IgnoredByIstio"
}
