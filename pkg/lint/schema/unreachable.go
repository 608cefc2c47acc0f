package schema

import (
	networking "istio.io/api/networking/v1alpha3"
)

func (c *check) unreachable(vs *networking.VirtualService) {}
