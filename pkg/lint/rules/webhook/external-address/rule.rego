package webhook.external_address

about contains [i, webhook] if {
	some i, webhook in input.webhooks
	endswith(webhook.name, ".istio.io")
	not webhook.clientConfig.service
}

authority(url) := split(trim_prefix(url, "https://"), "/")[0]

host(url) := regex.replace(authority(url), `:[0-9]+$`, "")

findings contains {
	"path": sprintf("webhooks[%d].clientConfig", [i]),
	"message": sprintf("%s has neither a url nor a service", [webhook.name]),
	"aliases": ["IST0163"],
} if {
	some [i, webhook] in about
	object.get(webhook, ["clientConfig", "url"], "") == ""
}

findings contains {
	"path": sprintf("webhooks[%d].clientConfig.url", [i]),
	"message": sprintf("%s: %q is no https URL", [webhook.name, url]),
	"aliases": ["IST0163"],
} if {
	some [i, webhook] in about
	url := webhook.clientConfig.url
	url != ""
	not regex.match(`^https://[^/?#]+(/[^?#]*)?$`, url)
}

findings contains {
	"path": sprintf("webhooks[%d].clientConfig.url", [i]),
	"message": sprintf("%s calls the control plane by the IP address %s; a host name outlives it", [webhook.name, host(url)]),
	"severity": "info",
	"aliases": ["IST0164"],
} if {
	some [i, webhook] in about
	url := webhook.clientConfig.url
	startswith(url, "https://")
	regex.match(`^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\])$`, host(url))
}
