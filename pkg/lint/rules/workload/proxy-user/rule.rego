package workload.proxy_user

template := ["spec", input.spec] if input.type == "Pod"

template := ["spec.template.spec", input.spec.template.spec] if input.type == "Deployment"

findings contains {
	"path": sprintf("%s.securityContext.runAsUser", [template[0]]),
	"message": "user 1337 is the proxy's: the calls of this pod leave the mesh unseen",
} if template[1].securityContext.runAsUser == 1337

findings contains {
	"path": sprintf("%s.containers[%d].securityContext.runAsUser", [template[0], i]),
	"message": sprintf("user 1337 is the proxy's: the calls of the container %s leave the mesh unseen", [c.name]),
} if {
	some i, c in template[1].containers
	c.name != "istio-proxy"
	c.securityContext.runAsUser == 1337
}
