package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// TestTheTablesAreAsTheFilesSay fills a server and compares what it holds with the files.
func TestTheTablesAreAsTheFilesSay(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	server.Create(t, dynamoserver.BotTables()...)
	n, err := fill(t.Context(), server.URI)
	if err != nil {
		t.Fatal(err)
	}
	all, err := items()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, table := range dynamoserver.BotTables() {
		if len(all[table.Name]) == 0 {
			t.Errorf("no item for %s", table.Name)
		}
		dynamoserver.Add(want, table, all[table.Name]...)
	}
	if len(want) != n {
		t.Errorf("%d items have %d keys", n, len(want))
	}
	if diff := cmp.Diff(want, server.Contents(t, dynamoserver.BotTables()...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
