package mem_test

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func TestDocumentsConform(t *testing.T) { storetest.Documents(t, storetest.MemDocuments) }

func TestJournalConforms(t *testing.T) { storetest.Journal(t, storetest.MemJournal) }

func TestLeasesConform(t *testing.T) { storetest.Leases(t, storetest.MemLeases) }

func TestRunsConform(t *testing.T) { storetest.Runs(t, new(mem.Runs)) }
