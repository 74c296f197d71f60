// Package redisstore keeps a provider's records in Redis or Valkey: on one
// server, on one behind Sentinel, or on a Redis Cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	kept, err := redisstore.New(client, redisstore.Options{})
//	if err == nil {
//		err = kept.Check(ctx) // reports a wrong version, role, or eviction policy
//	}
//	if err != nil {
//		log.Fatal(err)
//	}
//	p, err := provider.New(provider.Config{
//		Store: kept,
//		// ...
//	})
//
// For Sentinel, pass the client from [redis.NewFailoverClient]. For a cluster,
// pass a [redis.ClusterClient] that isn't wrapped, because the store works
// differently there. To keep applications in another store, such as package
// sqlstore, and only documents here, combine the two:
//
//	Store: struct {
//		store.Applications
//		store.Documents
//	}{applications, kept},
//
// # Durability
//
// By default, Redis loses the last writes in a crash: seconds of them with
// "appendfsync everysec", and minutes with snapshots only. A lost write means
// that a code can be redeemed again, that a user with a rotated refresh token
// must sign in again, or that a revoked token works again. To keep each
// acknowledged write when the process, the machine, or the power fails, set:
//
//	appendonly yes
//	appendfsync always
//	maxmemory-policy noeviction
//
// With any other maxmemory-policy, a server whose memory is full deletes records.
// These may be cut-offs, and then revoked tokens work again: in our test with
// allkeys-random, 11 of 300 revoked documents did. [Store.Check] returns an error
// for such a policy.
//
// With noeviction, a full server rejects new documents and changes, but still
// ends, cuts off, finds, lists, and sweeps. So users can always be signed out.
//
// # Failover
//
// Replication is asynchronous. When Sentinel or the cluster promotes a replica,
// writes that it hadn't received are lost, even if they are on the primary's
// disk. Afterwards new sign-ins are unknown, codes can be redeemed again, and
// revocations are undone. Repeat the revocations of the last minutes, or revoke
// everything with the provider's RevokeAllGrants.
//
// Setting min-replicas-to-write 1 and min-replicas-max-lag 1 makes this rarer,
// because Redis then rejects writes once the replica is gone. WAIT helps too, but
// neither rules it out. If you can't accept it, keep documents on one server
// without failover, or in a SQL database.
//
// Each step writes with one script, so no crash leaves half of a document. There
// is one exception. On a cluster, the indexes of an application and a workspace
// are on other servers than the documents, so a failover may lose the entry of a
// document that stays. The document works but isn't listed by its application or
// workspace. If that is cut off later, the document works again a day later,
// once the cut-off has been swept.
//
// Restoring a backup brings back what was revoked after it was made. Revoke
// everything afterwards: RevokeAllGrants is one write.
//
// # Cleanup
//
// No key has an expiry, so Redis deletes nothing by itself. Start the provider's
// Run, or call its Cleanup every few minutes; otherwise the memory fills up. A
// sweep takes four round trips if nothing is due, and some more for each 100
// records.
//
// # Memory
//
// A grant with 250 bytes of State takes about 850 bytes, with its places in the
// indexes of its user and application, or about 700 if the user has others. It
// doesn't grow when it is refreshed. A waiting device takes about 500 bytes, a
// cut-off 200, and an application 1,300.
//
// # Round trips
//
// Each step takes one round trip, with these exceptions:
//
//   - On a cluster, Create, Find, and FindConsent take two, because the indexes
//     and the cut-offs of an application are in another slot than those of a user.
//   - On a cluster, a Replace that changes CreatedAt takes five.
//   - List takes two, and three on a cluster. A page examines at most 100
//     documents.
//   - ListApplications takes three if an index has the answer. A search by name,
//     and an order by name, read all applications, 100 at a time.
//
// No command or script touches more than a bounded number of records, so a user
// or an application with very many doesn't block others. In our test with a
// million grants, deleting 900,000 of one application took 69 seconds; meanwhile
// 99 of 100 other commands were answered within 11 ms, and all within 97 ms.
//
// The client library sends a command again if its connection breaks. Each write
// carries a random number that the scripts remember, so a script that arrives
// twice takes effect once. You can leave the client's MaxRetries as it is.
//
// # Versions
//
// The package needs Redis 7.0 or Valkey 7.2, because older servers don't let a
// script declare that it may run when the memory is full. Redis 7.0 is tested
// with each change, alone, as a cluster of three, and behind Sentinel. "make
// engines" tests Redis 8.0 and 8.2 and Valkey 8.0, 8.1, and 9.1, and clusters
// with replicas. KeyDB, Dragonfly, and managed services such as ElastiCache have
// not been tried.
//
// # Keys
//
// All keys begin with [Options.Prefix]. Users, applications, and workspaces are
// spread over 1024 shards by the first 10 bits of the SHA-256 of their IDs. The
// shard is the hash tag of a key, such as {2a7}, so everything about one user is
// in one slot of a cluster.
//
//	{2a7}:d:ID       a document, whose user is in this shard
//	{2a7}:due        the shard's documents, by when they may be swept
//	{2a7}:u:USER     the documents of a user, by kind and time of creation
//	{2a7}:a:APP      those of an application of this shard
//	{2a7}:w:SPACE    those of a workspace of this shard
//	{2a7}:c:KEY      the number of a cut-off
//	{2a7}:cuts       the shard's cut-offs, by when a sweep should look at them
//	{2a7}:strays     entries of indexes that a sweep should look at
//	{apps}:...       the applications
//
// A script learns from the document that it reads which cut-offs and indexes
// belong to it. So it uses keys that weren't passed to it, but on a cluster they
// are all in the same slot. While a cluster moves a slot, calls that need it
// fail, and the provider answers 503 for that moment.
//
// IDs of documents are parts of keys, and not secret. Hashes of codes and tokens
// are in documents, and only the provider compares them.
package redisstore
