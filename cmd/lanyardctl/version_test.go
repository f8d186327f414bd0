package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

func TestVersion(t *testing.T) {
	code, stdout, stderr := call("version", "--output", "json")
	var v buildVersion
	if err := json.Unmarshal([]byte(stdout), &v); code != exit.Done || stderr != "" || err != nil {
		t.Fatalf("exit %d, %v, stderr: %s", code, err, stderr)
	}
	if v.Version == "" || v.Go != runtime.Version() || v.Embedded != embedded.Included {
		t.Errorf("%+v", v)
	}

	code, stdout, stderr = call("version")
	if code != exit.Done || stderr != "" || !strings.HasPrefix(stdout, "lanyardctl "+v.Version+"\n") || !strings.Contains(stdout, v.Go) {
		t.Errorf("exit %d, stdout: %s, stderr: %s", code, stdout, stderr)
	}
}

func TestVersionText(t *testing.T) {
	for _, c := range []struct {
		v    buildVersion
		want string
	}{
		{
			buildVersion{Version: "v1.2.3", Revision: "abc", Go: "go1.26", Platform: "linux/amd64", Embedded: true},
			"lanyardctl v1.2.3\nrevision: abc\ngo:       go1.26 linux/amd64\nembedded: included\n",
		},
		{
			buildVersion{Version: "(devel)", Revision: "abc", Modified: true, Go: "go1.26", Platform: "linux/arm64"},
			"lanyardctl (devel)\nrevision: abc with changes\ngo:       go1.26 linux/arm64\nembedded: left out (-tags noembedded)\n",
		},
		{
			buildVersion{Version: "(devel)", Go: "go1.26", Platform: "linux/arm64", Embedded: true},
			"lanyardctl (devel)\nrevision: not recorded\ngo:       go1.26 linux/arm64\nembedded: included\n",
		},
	} {
		var text strings.Builder
		if err := c.v.Text(&text); err != nil || text.String() != c.want {
			t.Errorf("%v\n%s", err, &text)
		}
	}
}
