package imagetest

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
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
	for _, name := range []string{"lanyardctl", "sync"} {
		if _, started := load().Services[name]; started {
			t.Errorf(`"up" would start %s`, name)
		}
	}
	project := load("tools", "sync")
	for _, name := range []string{"lanyard", "lanyardctl", "sync"} {
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
	lanyardctl, sync := project.Services["lanyardctl"], project.Services["sync"]
	for _, service := range []types.ServiceConfig{lanyardctl, sync} {
		if _, err := os.Stat(filepath.Join(service.Build.Context, "Dockerfile")); err != nil {
			t.Error(err)
		}
		if len(service.Volumes) != 1 || service.Volumes[0].Target != "/data" || project.Volumes[service.Volumes[0].Source].Name == "" {
			t.Errorf("the working folder /data is on no volume: %v", service.Volumes)
		}
		if service.User != "" || service.Image != lanyardctl.Image {
			t.Errorf("%s runs as another user than the image's, or is another image", service.Name)
		}
	}
	if lanyardctl.Restart != "" || sync.Restart == "" || len(lanyardctl.Profiles) != 1 || slices.Equal(sync.Profiles, lanyardctl.Profiles) {
		t.Error("lanyardctl runs again when it has ended, or sync does not, or they are started together")
	}
	help := exec.Command(ferretdb.Build(t), append(slices.Clone(sync.Command), "--help")...)
	if out, err := help.CombinedOutput(); err != nil {
		t.Errorf("lanyardctl does not know %v: %v\n%s", sync.Command, err, out)
	}
}
