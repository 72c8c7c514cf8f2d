using TaskQueue.Tests.EndToEnd;
using Xunit;

namespace TaskQueue.Tests.SqlServer;

public sealed class TasksApiOnOneProcess(OneProcess stack) : TasksApiTests(stack), IClassFixture<OneProcess>;

public sealed class TasksApiOnSplitRoles(SplitRoles stack) : TasksApiTests(stack), IClassFixture<SplitRoles>;

public sealed class TasksApiChecksOnSqlServer() : TasksApiChecks(new OneProcess());

public sealed class WorkersApiOnSqlServer(SplitRoles stack) : WorkersApiTests(stack), IClassFixture<SplitRoles>;

public sealed class QueuesApiOnSqlServer(SplitRoles stack) : QueuesApiTests(stack), IClassFixture<SplitRoles>;

public sealed class SchedulesApiOnSqlServer(SplitRoles stack) : SchedulesApiTests(stack), IClassFixture<SplitRoles>;

public sealed class EventsApiOnSqlServer(SplitRoles stack) : EventsApiTests(stack), IClassFixture<SplitRoles>;

public sealed class BadInputOnSqlServer(OneProcess stack) : BadInputTests(stack), IClassFixture<OneProcess>;

public sealed class FuzzOnSqlServer(OneProcess stack) : FuzzTests(stack), IClassFixture<OneProcess>;

public sealed class MoabApiOnSqlServer(MoabOnSqlServer server) : MoabApiTests(server), IClassFixture<MoabOnSqlServer>;

public sealed class BellaApiOnSqlServer(BellaOnSqlServer server) : BellaApiTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class BatchesApiOnSqlServer(BellaOnSqlServer server) : BatchesApiTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class FilesApiOnSqlServer(BellaOnSqlServer server) : FilesApiTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class CallbacksOnSqlServer(BellaOnSqlServer server) : CallbackTests(server), IClassFixture<BellaOnSqlServer>;
