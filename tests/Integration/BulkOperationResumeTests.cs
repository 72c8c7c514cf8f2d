using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Steps of operations that are repeated, that meet changed tasks, or that cannot be read.</summary>
public sealed class BulkOperationResumeTests
{
    private const string AddItem = """[{"op":"add","path":"/list/-","value":1}]""";

    /// <summary>Encrypted with a key that is not configured.</summary>
    private const string Unreadable = "enc:v1:gone:AAAA";

    private static readonly Access Ann = Access.Of("ann");

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_task_that_was_retried_and_failed_again_is_not_retried_again_by_a_resumed_step(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        foreach (var action in new[] { BulkAction.Retry, BulkAction.Edit })
        {
            var id = await bed.FailedAsync("ann");
            var operation = await bed.CreateAsync(action, [id], Ann, patch: action == BulkAction.Edit ? AddItem : null);
            await bed.BeginAsync(operation);
            var open = await bed.Store.OpenTasksAsync(operation.Id, default);
            (await StepsOf(bed).ApplyAsync(operation, open, Ann)).Done.Count.ShouldBe(1);
            await FailAgainAsync(bed, id);
            // The command itself, repeated by somebody who did not get its answer, does not retry an edited one either.
            if (action == BulkAction.Edit)
                (await StepsOf(bed).ApplyAsync(operation, open, Ann)).Done.Count.ShouldBe(1);

            bed.Time.Step(BulkOperationWorker.Lease);
            await bed.WorkAsync();

            var ended = await bed.GetAsync(operation);
            (ended.State, ended.Done, ended.Skipped, ended.Failed).ShouldBe((BulkState.Completed, 1, 0, 0), $"{action}");
            await bed.ShouldBeAsync(id, TaskStates.Failed);
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_payload_that_somebody_else_has_changed_is_neither_patched_nor_restored(DatabaseProvider provider)
    {
        const string Other = """{"list":[2]}""";
        await using var bed = await BedAsync(provider);
        var waiting = await bed.SubmitAsync("ann");
        var operation = await bed.CreateAsync(BulkAction.Edit, [waiting], Ann, patch: AddItem);
        await bed.BeginAsync(operation);
        await ChangeAsync(bed, waiting, Other);
        bed.Time.Step(BulkOperationWorker.Lease);
        await bed.WorkAsync();

        var ended = await bed.GetAsync(operation);
        (ended.State, ended.Done, ended.Failed).ShouldBe((BulkState.Completed, 0, 1));
        ended.Error.ShouldNotBeNull().ShouldContain("its payload was changed since it was selected");
        (await bed.FindAsync(waiting))!.Payload.ShouldBe(Other);

        // Of a task that had failed, an undo that is refused cancels nothing.
        var failed = await bed.FailedAsync("ann");
        var edit = await bed.RunAsync(BulkAction.Edit, [failed], Ann, patch: AddItem);
        await ChangeAsync(bed, failed, Other);
        (await bed.UndoAsync(edit, Ann)).Undone.ShouldBe(0);
        ((await bed.FindAsync(failed))!.State, (await bed.FindAsync(failed))!.Payload).ShouldBe((TaskStates.Pending, Other));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_step_of_an_undo_that_is_repeated_counts_what_it_has_put_back(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        foreach (var action in new[] { BulkAction.Retry, BulkAction.Cancel, BulkAction.Move, BulkAction.Edit })
        {
            List<Guid> ids = action == BulkAction.Cancel ? [await bed.SubmitAsync("ann")] : [await bed.FailedAsync("ann")];
            if (action is BulkAction.Move or BulkAction.Edit)
                ids.Add(await bed.SubmitAsync("ann"));
            var operation = await bed.RunAsync(action, ids, Ann, target: action == BulkAction.Move ? "other" : null,
                patch: action == BulkAction.Edit ? AddItem : null);
            operation.Done.ShouldBe(ids.Count, $"{action}");

            for (var time = 1; time <= 2; time++)
            {
                var kept = await bed.Store.KeptAsync(operation.Id, 10, default);
                var outcome = await StepsOf(bed).UndoAsync(operation, kept, Ann);
                (outcome.Done.Count, outcome.Others.Count).ShouldBe((ids.Count, 0), $"{action}, {time}");
            }

            await bed.ShouldBeAsync(ids[0], action == BulkAction.Cancel ? TaskStates.Pending : TaskStates.Cancelled);
        }
    }

    [Fact]
    public async Task Tasks_move_back_only_to_where_whoever_undoes_it_may_move_them()
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        var bens = await bed.SubmitAsync("ben");
        var move = await bed.RunAsync(BulkAction.Move, [bens], Access.All, target: "other");
        var admin = new Access { Tenant = "ann", Own = QueuePatterns.All, Others = QueuePatterns.Of(["other"]) };

        var undone = await bed.UndoAsync(move, admin);

        undone.Undone.ShouldBe(0);
        undone.Error.ShouldNotBeNull().ShouldContain("may not move tasks of other tenants to queue q");
        (await bed.FindAsync(bens))!.Queue.ShouldBe("other");
    }

    [Fact]
    public async Task An_operation_that_cannot_be_read_is_paused_and_can_be_ended()
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        var (first, second) = (await bed.SubmitAsync("ann"), await bed.SubmitAsync("ann"));
        var planned = await bed.CreateAsync(BulkAction.Edit, [first], Ann, patch: AddItem);
        var begun = await bed.CreateAsync(BulkAction.Edit, [second], Ann, patch: AddItem);
        await bed.BeginAsync(begun);
        (await bed.Service.CancelAsync(begun, default)).ShouldBeTrue();
        await using (var db = bed.Database.CreateContext())
            await db.Operations.ExecuteUpdateAsync(o => o.SetProperty(x => x.Patch, Unreadable));

        bed.Time.Step(BulkOperationWorker.Lease);
        await bed.WorkAsync();

        var paused = await bed.GetAsync(planned);
        (paused.State, paused.Error!.Contains("'gone'", StringComparison.Ordinal)).ShouldBe((BulkState.Paused, true));
        var ended = await bed.GetAsync(begun);
        (ended.State, ended.FinishedAt is null, ended.IsInStep, ended.Failed).ShouldBe((BulkState.Cancelled, false, false, 1));
        (await bed.Service.CancelAsync(paused, default)).ShouldBeTrue();
        (await bed.GetAsync(planned)).FinishedAt.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_noted_payload_that_cannot_be_read_fails_alone()
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        Guid[] ids = [await bed.SubmitAsync("ann"), await bed.SubmitAsync("ann")];
        var operation = await bed.CreateAsync(BulkAction.Edit, ids, Ann, patch: AddItem);
        await bed.BeginAsync(operation);
        await using (var db = bed.Database.CreateContext())
        {
            await db.OperationTasks.Where(t => t.TaskId == ids[0])
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.FormerPayload, Unreadable));
        }

        bed.Time.Step(BulkOperationWorker.Lease);
        await bed.WorkAsync();

        var ended = await bed.GetAsync(operation);
        (ended.State, ended.Done, ended.Failed).ShouldBe((BulkState.Completed, 1, 1));
        ended.Error.ShouldNotBeNull().ShouldContain("'gone'");
        (await bed.FindAsync(ids[0]))!.Payload.ShouldBe("""{"list":[]}""");
    }

    [Fact]
    public async Task An_operation_whose_step_meets_an_outage_does_not_hold_up_the_others()
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        var (first, second) = (await bed.SubmitAsync("ann"), await bed.SubmitAsync("ann"));
        var stuck = await bed.CreateAsync(BulkAction.Cancel, [first], Ann);
        var other = await bed.CreateAsync(BulkAction.Cancel, [second], Ann);
        var worker = new BulkOperationWorker(
            FailingStore.Of(bed.Store, stuck.Id), StepsOf(bed), bed.Time, NullLogger<BulkOperationWorker>.Instance);

        (await worker.RunAsync(() => { }, default)).ShouldBeTrue();

        (await bed.GetAsync(other)).Done.ShouldBe(1);
        var postponed = await bed.GetAsync(stuck);
        (postponed.Done, postponed.Faults, postponed.WorkedUntil is null).ShouldBe((0, 0, true));
        postponed.DueAt.ShouldBeGreaterThan(Micros.Now(bed.Time));
        bed.Time.Step(TimeSpan.FromSeconds(5));
        await bed.WorkAsync();
        (await bed.GetAsync(stuck)).Done.ShouldBe(1);
    }

    private static BulkSteps StepsOf(BulkOperationBed bed) => bed.Engine.Services.GetRequiredService<BulkSteps>();

    private static async Task FailAgainAsync(BulkOperationBed bed, Guid id)
    {
        (await bed.Engine.SendAsync(new StartTask(id, Micros.Now(bed.Time), 2, "w", 60_000))).ShouldBe(CommandResult.Applied);
        (await bed.Engine.SendAsync(new FailTask(id, Micros.Now(bed.Time), 2, "w", "broken", retryable: false)))
            .ShouldBe(CommandResult.Applied);
    }

    private static async Task ChangeAsync(BulkOperationBed bed, Guid id, string payload) =>
        (await bed.Engine.SendAsync(new ChangeTask(id, Micros.Now(bed.Time), new TaskChange { Payload = _ => payload })))
            .ShouldBe(CommandResult.Applied);

    private static async Task<BulkOperationBed> BedAsync(DatabaseProvider provider) =>
        new(await TestDatabase.CreateAsync(provider), null);

    /// <summary>A store in which no step of one operation can begin.</summary>
    public class FailingStore : DispatchProxy
    {
        private IBulkOperationStore _store = null!;
        private Guid _id;

        public static IBulkOperationStore Of(IBulkOperationStore store, Guid id)
        {
            var proxy = Create<IBulkOperationStore, FailingStore>();
            ((FailingStore)(object)proxy)._store = store;
            ((FailingStore)(object)proxy)._id = id;
            return proxy;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(IBulkOperationStore.BeginStepAsync) && ((BulkLease)args![0]!).Id == _id
                ? throw new TimeoutException("the database is busy") : targetMethod.Invoke(_store, args);
    }
}
