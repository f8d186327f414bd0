//go:build noembedded

package embedded_test

import (
	"errors"
	"testing"

	"github.com/lanyardctl/lanyardctl/store/embedded"
)

func TestASlimBuildSaysHowToGetTheServer(t *testing.T) {
	_, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir()})
	if !errors.Is(err, embedded.ErrNotIncluded) {
		t.Errorf("Start: %v", err)
	}
}
