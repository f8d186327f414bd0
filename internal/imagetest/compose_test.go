package imagetest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/lanyardctl/lanyardctl/internal/location"
)

// TestTheComposeFile reads examples/compose.yaml as Docker Compose does, which refuses what its specification does not
// know, and checks what lanyardctl and Lanyard depend on.
func TestTheComposeFile(t *testing.T) {
	file := filepath.Join(repository, "examples", "compose.yaml")
	load := func(profiles ...string) *types.Project {
		project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
			WorkingDir: filepath.Dir(file), ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: types.Mapping{},
		}, loader.WithProfiles(profiles))
		if err != nil {
			t.Fatal(err)
		}
		return project
	}
	if _, started := load().Services["lanyardctl"]; started {
		t.Error(`"up" would start lanyardctl`)
	}
	project := load("tools")
	for _, name := range []string{"lanyard", "lanyardctl"} {
		service := project.Services[name]
		for _, store := range []string{"redis", "mongo"} {
			if service.DependsOn[store].Condition != types.ServiceConditionHealthy || project.Services[store].HealthCheck == nil {
				t.Errorf("%s does not wait until %s is healthy", name, store)
			}
		}
		for variable, value := range service.Environment {
			if variable == "BOT_TOKEN" && name == "lanyard" {
				continue
			}
			if !slices.Contains(location.Variables, variable) {
				t.Errorf("%s: nobody reads the variable %s", name, variable)
			}
			if value == nil || *value != *project.Services["lanyard"].Environment[variable] {
				t.Errorf("%s: %s is not Lanyard's", name, variable)
			}
		}
		for variable, want := range map[string]string{"REDIS_URI": "redis:6379", "MONGODB_URI": "mongo:27017"} {
			uri, err := url.Parse(*service.Environment[variable])
			if err != nil || uri.Host != want || project.Services[uri.Hostname()].Name == "" {
				t.Errorf("%s: %s names no service: %v %v", name, variable, uri, err)
			}
		}
	}
	lanyardctl := project.Services["lanyardctl"]
	if _, err := os.Stat(filepath.Join(lanyardctl.Build.Context, "Dockerfile")); err != nil {
		t.Error(err)
	}
	if len(lanyardctl.Volumes) != 1 || lanyardctl.Volumes[0].Target != "/data" || project.Volumes[lanyardctl.Volumes[0].Source].Name == "" {
		t.Errorf("the working folder /data is on no volume: %v", lanyardctl.Volumes)
	}
	if lanyardctl.User != "" || lanyardctl.Restart != "" {
		t.Error("lanyardctl runs as another user than the image's, or again when it has ended")
	}
}
