package mongo_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// behindProxy returns a database, and a store that reaches it through a proxy which can cut its connections.
func behindProxy(t *testing.T) (*fixture, *mongo.Store, *storetest.Proxy) {
	t.Helper()
	server := ferretdb.Start(t)
	u, err := url.Parse(server.URI)
	if err != nil {
		t.Fatal(err)
	}
	proxy := storetest.NewProxy(t, u.Host)
	f := newFixture(t, server.URI)
	store, err := mongo.Open(context.Background(), mongo.Options{URI: "mongodb://" + proxy.Addr + "/?directConnection=true", Database: f.name, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	return f, store, proxy
}
