package location

import (
	"fmt"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// MetricsVariable names the variable with the URL of a running Lanyard's metrics.
const MetricsVariable = "LANYARD_METRICS_URL"

const metricsForm = "http://HOST:4001/metrics"

// ResolveMetrics returns the URL of a running Lanyard's metrics: what the flag was given, else that of the variable.
func ResolveMetrics(flag, given string, env func(string) string) (Location, error) {
	p := Location{URI: Tidied(given), From: flag}
	if p.URI == "" {
		p = Location{URI: Tidied(env(MetricsVariable)), From: MetricsVariable}
	}
	if p.URI == "" {
		return p, exit.WrongUse("no URL of Lanyard's metrics is named", "give "+flag+" "+metricsForm+", or set "+MetricsVariable)
	}
	u, err := parseURI(p, metricsForm)
	switch {
	case err != nil:
		return p, err
	case u.Scheme != "http" && u.Scheme != "https":
		return p, exit.WrongUse(fmt.Sprintf("%s: %s:// is no URL of metrics", p.From, u.Scheme), "the form is "+metricsForm+", or https://")
	case u.Hosts == "" || strings.HasPrefix(u.Hosts, ":"):
		return p, exit.WrongUse(p.From+" names no host", "the form is "+metricsForm)
	}
	return p, nil
}
