using TaskQueue.Tests.EndToEnd;
using Xunit;

namespace TaskQueue.Tests.SqlServer;

public sealed class TasksDoorOnOneProcess(OneProcess stack) : TasksDoorTests(stack), IClassFixture<OneProcess>;

public sealed class TasksDoorOnSplitRoles(SplitRoles stack) : TasksDoorTests(stack), IClassFixture<SplitRoles>;

public sealed class TasksDoorChecksOnSqlServer() : TasksDoorChecks(new OneProcess());

public sealed class WorkersDoorOnSqlServer(SplitRoles stack) : WorkersDoorTests(stack), IClassFixture<SplitRoles>;

public sealed class QueuesDoorOnSqlServer(SplitRoles stack) : QueuesDoorTests(stack), IClassFixture<SplitRoles>;

public sealed class SchedulesDoorOnSqlServer(SplitRoles stack) : SchedulesDoorTests(stack), IClassFixture<SplitRoles>;

public sealed class EventsDoorOnSqlServer(SplitRoles stack) : EventsDoorTests(stack), IClassFixture<SplitRoles>;

public sealed class BadInputOnSqlServer(OneProcess stack) : BadInputTests(stack), IClassFixture<OneProcess>;

public sealed class FuzzOnSqlServer(OneProcess stack) : FuzzTests(stack), IClassFixture<OneProcess>;

public sealed class MoabDoorOnSqlServer(MoabOnSqlServer server) : MoabDoorTests(server), IClassFixture<MoabOnSqlServer>;

public sealed class BellaDoorOnSqlServer(BellaOnSqlServer server) : BellaDoorTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class BatchesDoorOnSqlServer(BellaOnSqlServer server) : BatchesDoorTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class FilesDoorOnSqlServer(BellaOnSqlServer server) : FilesDoorTests(server), IClassFixture<BellaOnSqlServer>;

public sealed class CallbacksOnSqlServer(BellaOnSqlServer server) : CallbackTests(server), IClassFixture<BellaOnSqlServer>;
