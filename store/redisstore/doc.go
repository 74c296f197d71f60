// Package redisstore keeps a provider's records in Redis or Valkey: one
// server, one behind Sentinel, or a Redis Cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	kept, err := redisstore.New(client, redisstore.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	p, err := provider.New(provider.Config{
//		Store: kept,
//		// ...
//	})
//
// For Sentinel pass the client of [redis.NewFailoverClient], for a cluster
// that of [redis.NewClusterClient]. A host that keeps its applications
// somewhere else, such as in its SQL database, takes the grants only:
//
//	Store: struct {
//		store.Applications
//		store.Grants
//	}{applications, kept},
//
// Device authorizations are the third part. A host that composes its store and
// wants them here too embeds [store.Devices] beside the others.
//
// # What Redis may lose
//
// A store of grants is worth as much as its memory. A server that forgets the
// last second has forgotten that a code was redeemed, so that it can be
// redeemed again; that a refresh token was rotated, so that the application's
// new one is unknown and its user has to sign in again; and that a token was
// revoked, so that it works again. It has also forgotten that a device asked for
// access, which then begins anew, or what a user decided on that: whoever has
// the user code may decide again, even after a no. Redis as it comes does
// forget. To keep what it has acknowledged through a crash of its process, its
// machine and its power, it needs
//
//	appendonly yes
//	appendfsync always
//	maxmemory-policy noeviction
//
// With "appendfsync everysec" it may lose the last second, with snapshots
// alone the last minutes. With any other policy than noeviction it throws away
// grants when memory is short; with it, a Redis without memory refuses new
// grants and goes on answering for those it has.
//
// Replication is asynchronous: what a primary has acknowledged and not yet
// passed on is lost if Sentinel or the cluster puts a replica in its place,
// whatever is on the primary's disk. WAIT and min-replicas-to-write make that
// rarer, and do not rule it out. A host that cannot accept it keeps its grants
// on one server that writes through and comes back, or in a SQL database.
//
// What is lost is lost whole. Each step is one script, and its writes reach
// the file and the replicas together, so that no crash leaves a token without
// its grant, half of a pair, or a user code that leads nowhere.
//
// A client that reads from replicas is refused, because a revoked token would
// work there for a while longer.
//
// # Where everything lies
//
// All keys begin with [Options.Prefix]. Users are spread over 1024 shards by
// the first bits of [store.UserTag], and the shard is the hash tag of a key,
// like {2a7}: grants, consents and indexes of a user lie in one slot of a
// cluster, so that what is done for one user is done by one script. Device
// authorizations are spread over the same shards by their user codes.
//
//	{2a7}:g:ID    a grant with its code, tokens and chain of refresh tokens
//	{2a7}:t:TAG   the grants of the users with this tag
//	{2a7}:a:APP   the shard's grants to an application that are not revoked
//	{2a7}:c:USER  a user's consents
//	{2a7}:k:APP   the shard's users with a consent to an application
//	{2a7}:due     when a cleanup should look at which grant
//	{2a7}:salts   which grants keep the salt of a rotation
//	{2a7}:d:ID    a device authorization
//	{2a7}:u:HASH  the id of the device authorization with this user code
//	{2a7}:ends    when which device authorization expires
//	{apps}:...    the applications
//
// Creating a grant, redeeming a code, rotating a refresh token and finding a
// token are one round trip each; so are finding an application and the steps
// with a device authorization, of which only finding it takes two. Steps by
// application and cleanups ask every shard, some hundred shards in one round
// trip: they take some milliseconds even if there is nothing to do. Applications
// lie all in one slot, so that both ids of one are taken in one step, and a list
// of them reads all: that is meant for thousands.
//
// # Time
//
// Whether something has expired is decided by the times that the steps bring,
// never by the clock of Redis. Redis only lets a grant go by itself a day
// after nothing on it lives any more, and a device authorization a day after it
// has expired, for hosts that seldom clean up. Call DeleteExpired and
// DeleteDevices (or the provider's Cleanup) more often than daily: they remove
// what is dead sooner, and they are what clears the indexes. Consents and
// applications stay until they are deleted.
//
// # A lost answer
//
// The client library sends a command again when its connection breaks. Each
// call carries a random attempt, which the scripts keep, so that a step that
// is sent twice is done once and answered twice: it is not taken for a code or
// a refresh token that was stolen, nor for a device that asks too soon. The
// client may keep its MaxRetries.
//
// # Memory
//
// A grant with its code, two tokens, its user's consent and its place in all
// indexes takes about 1,550 bytes, and each rotation adds about 20 until the
// rotated-away token would have expired. That holds while Redis packs a grant
// into a listpack: hash-max-listpack-value must be at least 64 and
// hash-max-listpack-entries at least 128, as they are by default. A user id,
// an application's id, a resource or a set of scopes of more than 64 bytes, or
// an access token for fewer scopes that are still long, makes a grant take about
// 3,000 bytes. A device authorization takes about 850 bytes, and about 1,700 if
// any of its texts is that long.
//
// # Versions
//
// It needs Redis 6.2, for ZADD with LT, or any Valkey. It is tested with Redis
// 7.0, alone and as a cluster of three. Redis 6.2, Valkey and Sentinel have
// not been tested.
//
// Hashes of codes and tokens are found by Redis and compared by Lua, which do
// not take care to take the same time for all of them. Nothing can be learned
// from that: what is compared is SHA-256 of 256 random bits, so whoever varies
// a token cannot tell what its hash will begin with. User codes are short, so
// that their hashes can be computed beforehand; but these are only looked up as
// names of keys, which Redis hashes once more with a key of its own. Where this
// package itself compares hashes, it does so in constant time.
package redisstore
