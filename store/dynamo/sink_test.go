package dynamo_test

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	client := server.Client(t)
	storetest.RunTables(t, func(t testing.TB, o storetest.TableOptions) storetest.TableTarget {
		empty(t, server, client)
		g := &target{openAt(t, server.URI), t, server, client}
		put := func(kind record.Kind, _ record.Name, d mem.Document) { g.put(kind, d) }
		if o.Before != nil {
			o.Before(put)
		}
		return storetest.TableTarget{
			Sink: g.Sink(dynamo.SinkOptions{Policy: o.Policy, DryRun: o.DryRun}), Checkpoints: g.Checkpoints(), Reader: g.Reader(),
			Put: put, All: g.all, MarksBeside: true,
			Drop: func() {
				drop(t, client, false)
				for _, kind := range storetest.TestedTables.List() {
					table, _ := kind.Table()
					server.Create(t, table)
				}
			},
		}
	})
}
