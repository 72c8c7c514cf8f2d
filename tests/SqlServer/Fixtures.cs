using TaskQueue.Storage;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Integration;

namespace TaskQueue.Tests.SqlServer;

/// <summary>With READ_COMMITTED_SNAPSHOT, as docs/operations.md recommends.</summary>
public sealed class RowVersions() : StoreFixture(DatabaseProvider.SqlServer);

/// <summary>SQL Server's default: readers wait for locks.</summary>
public sealed class Locks() : StoreFixture(DatabaseProvider.SqlServer, rowVersions: false);

/// <summary>One process with all roles, and RabbitMQ.</summary>
public sealed class OneProcess() : Stack(DatabaseProvider.SqlServer, null as string);

/// <summary>Two processes per role, and RabbitMQ.</summary>
public sealed class SplitRoles() : Stack(DatabaseProvider.SqlServer, "api", "api", "scheduler", "scheduler", "consumers", "consumers");

/// <summary>Moab's server.</summary>
public sealed class MoabOnSqlServer() : MoabServer(DatabaseProvider.SqlServer);

/// <summary>Bella's servers.</summary>
public sealed class BellaOnSqlServer() : BellaServer(DatabaseProvider.SqlServer);
