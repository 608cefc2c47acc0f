package model

import (
	"regexp"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// pod is a Pod of the input.
type pod struct {
	resource.Of[*corev1.Pod]
	// labels are the pod's own, with those of the injector where the pod is a manifest that a cluster has yet to see.
	labels   map[string]string
	address  string
	workload *Workload // set once workloads are known
}

// live tells a Pod that was read from a cluster, whose labels are the final ones, from one that somebody wrote.
func (p *pod) live() bool { return p.Spec.Status.PodIP != "" }

// finished tells whether the pod's containers are done, so that nothing listens any more.
func (p *pod) finished() bool {
	return p.Spec.Status.Phase == corev1.PodSucceeded || p.Spec.Status.Phase == corev1.PodFailed
}

func (p *pod) serviceAccount() string {
	if sa := p.Spec.Spec.ServiceAccountName; sa != "" {
		return sa
	}
	return "default"
}

var cronJobName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.+)-\d{8,10}$`) })

// workloadName is the name of what owns the pod, as istiod derives it: the Deployment behind a ReplicaSet, the CronJob behind a Job, else
// the controller, else the pod itself.
func (p *pod) workloadName() string {
	if p.Spec.GenerateName == "" {
		return p.Name
	}
	for _, owner := range p.Spec.OwnerReferences {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		hash := p.Labels["pod-template-hash"]
		switch {
		case owner.Kind == "ReplicaSet" && hash != "" && strings.HasSuffix(owner.Name, hash):
			return strings.TrimSuffix(owner.Name, "-"+hash)
		case owner.Kind == "ReplicationController" && p.Labels["deploymentconfig"] != "":
			return p.Labels["deploymentconfig"]
		case owner.Kind == "Job":
			if parts := cronJobName().FindStringSubmatch(owner.Name); parts != nil {
				return parts[1]
			}
		}
		return owner.Name
	}
	return p.Name
}

// namedPorts returns the numbers of the containers' named ports that carry TCP, those of sidecar-style init containers too.
func namedPorts(spec *corev1.PodSpec) map[string]uint32 {
	out := map[string]uint32{}
	if spec == nil {
		return out
	}
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for _, c := range containers {
			for _, p := range c.Ports {
				if _, have := out[p.Name]; p.Name != "" && !have && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
					out[p.Name] = uint32(p.ContainerPort)
				}
			}
		}
	}
	return out
}
