package mem_test

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func TestConformance(t *testing.T) { storetest.Run(t, storetest.Mem) }
