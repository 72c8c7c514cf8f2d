using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Operations on many tasks, carried out step by step, on each database.</summary>
public sealed class BulkOperationTests
{
    private static readonly Access Ann = Access.Of("ann"), Ben = Access.Of("ben");

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Each_action_changes_the_tasks_that_are_in_a_state_for_it_and_can_be_undone(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var (failed, waiting, completed) = (await bed.FailedAsync("ann"), await bed.SubmitAsync("ann"), await bed.CompletedAsync("ann"));
        Guid[] all = [failed, waiting, completed];

        var retry = await bed.RunAsync(BulkAction.Retry, all, Ann);
        (retry.State, retry.Done, retry.Skipped, retry.Failed, retry.CanUndo).ShouldBe((BulkState.Completed, 1, 2, 0, true));
        await bed.ShouldBeAsync(failed, TaskStates.Pending);
        (await bed.UndoAsync(retry, Ann)).Undone.ShouldBe(1);
        await bed.ShouldBeAsync(failed, TaskStates.Cancelled);

        var cancel = await bed.RunAsync(BulkAction.Cancel, all, Ann);
        (cancel.Done, cancel.Skipped).ShouldBe((1, 2));
        await bed.ShouldBeAsync(waiting, TaskStates.Cancelled);
        (await bed.UndoAsync(cancel, Ann)).Undone.ShouldBe(1);
        await bed.ShouldBeAsync(waiting, TaskStates.Pending);

        var delete = await bed.RunAsync(BulkAction.Delete, all, Ann);
        (delete.Done, delete.Skipped, delete.CanUndo).ShouldBe((2, 1, false));
        (await bed.FindAsync(completed)).ShouldBeNull();
        await bed.ShouldBeAsync(waiting, TaskStates.Pending);
        (await bed.Service.UndoAsync(delete, Ann, default)).ShouldBeFalse();
        (await bed.CountTasksAsync()).ShouldBe(0); // of operation_tasks
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Tasks_move_to_another_queue_and_back(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var (waiting, failed, running) = (await bed.SubmitAsync("ann"), await bed.FailedAsync("ann"), await bed.RunningAsync("ann"));

        var move = await bed.RunAsync(BulkAction.Move, [waiting, failed, running], Ann, target: "other");

        (move.Done, move.Skipped, move.Failed).ShouldBe((2, 1, 0));
        foreach (var id in new[] { waiting, failed })
            ((await bed.FindAsync(id))!.Queue, (await bed.FindAsync(id))!.State).ShouldBe(("other", TaskStates.Pending));
        (await bed.FindAsync(running))!.Queue.ShouldBe("q");
        (await bed.RunAsync(BulkAction.Move, [waiting], Ann, target: "other")).Skipped.ShouldBe(1);

        (await bed.UndoAsync(move, Ann)).Undone.ShouldBe(2);
        ((await bed.FindAsync(waiting))!.Queue, (await bed.FindAsync(waiting))!.State).ShouldBe(("q", TaskStates.Pending));
        ((await bed.FindAsync(failed))!.Queue, (await bed.FindAsync(failed))!.State).ShouldBe(("q", TaskStates.Cancelled));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Payloads_are_patched_and_restored_also_encrypted(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider, new()
        {
            ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        });
        const string Payload = """{"to":"marker-7c1f","n":12345678901234567890123}""";
        var waiting = await bed.SubmitAsync("ann", payload: Payload);
        var failed = await bed.FailedAsync("ann", payload: Payload);
        var unfit = await bed.SubmitAsync("ann", payload: """{"n":1}""");
        var encoded = await bed.SubmitAsync("ann", payload: """{"$enc":{"kid":"k","data":"AAAA"}}""");

        var edit = await bed.RunAsync(BulkAction.Edit, [waiting, failed, unfit, encoded], Ann,
            patch: """[{"op":"replace","path":"/to","value":"marker-9e2a"}]""");

        (edit.Done, edit.Skipped, edit.Failed).ShouldBe((2, 0, 2));
        edit.Error.ShouldNotBeNull();
        foreach (var id in new[] { waiting, failed })
        {
            var task = (await bed.FindAsync(id))!;
            (task.State, task.Payload).ShouldBe(
                (TaskStates.Pending, Payload.Replace("marker-7c1f", "marker-9e2a", StringComparison.Ordinal)));
        }

        (await bed.FindAsync(unfit))!.Payload.ShouldBe("""{"n":1}""");
        await using (var db = bed.Database.CreateContext())
        {
            foreach (var text in (await db.OperationTasks.Select(t => t.FormerPayload).ToListAsync())
                .Concat(await db.Operations.Select(o => o.Patch).ToListAsync())
                .Concat(await db.Operations.Select(o => o.Error).ToListAsync())
                .Concat(await db.Submitted.Select(t => t.Payload).ToListAsync()))
                text.ShouldNotBeNull().ShouldStartWith("enc:v1:");
        }

        (await bed.UndoAsync(edit, Ann)).Undone.ShouldBe(2);
        (await bed.FindAsync(waiting))!.Payload.ShouldBe(Payload);
        var back = (await bed.FindAsync(failed))!;
        (back.State, back.Payload).ShouldBe((TaskStates.Cancelled, Payload));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_search_is_followed_to_its_end_and_newer_tasks_are_not_chased(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var ids = new List<Guid>();
        for (var i = 0; i < 450; i++)
            ids.Add(TaskId.New(TimeProvider.System));
        await bed.Engine.Tasks.SubmitManyAsync(ids.ConvertAll(id => new TaskSubmission(id, "q", "{}") { Owner = "ann" }));
        var bens = await bed.SubmitAsync("ben");

        var cancel = await bed.CreateAsync(BulkAction.Cancel, new TaskSearch { Queue = "q" }, Ann);
        var later = await bed.SubmitAsync("ann");
        cancel.Queue.ShouldBe("q");
        if (cancel.TotalIsExact) // unless the machine was too busy to count
            cancel.Total.ShouldBe(450);
        await bed.WorkAsync();

        var ended = await bed.GetAsync(cancel);
        (ended.State, ended.Done, ended.Skipped, ended.Kept).ShouldBe((BulkState.Completed, 450, 0, 450));
        foreach (var id in new[] { later, bens })
            await bed.ShouldBeAsync(id, TaskStates.Pending);
        var undone = await bed.UndoAsync(ended, Ann);
        (undone.Undone, undone.Kept, undone.CanUndo).ShouldBe((450, 0, false));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task An_edit_of_large_tasks_goes_on_after_each_step_whatever_their_ids(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var payload = $$"""{"list":[],"text":"{{new string('x', 600_000)}}"}""";
        List<Guid> ids = [.. Enumerable.Range(0, 12).Select(_ => Guid.NewGuid())];
        foreach (var id in ids) // seven exceed a step
            await bed.Engine.Tasks.SubmitAsync(new TaskSubmission(id, "q", payload) { Owner = "ann" });

        var edit = await bed.CreateAsync(BulkAction.Edit, new TaskSearch { Queue = "q" }, Ann,
            """[{"op":"add","path":"/list/-","value":1}]""");
        await bed.WorkAsync();

        var ended = await bed.GetAsync(edit);
        (ended.State, ended.Done, ended.Skipped, ended.Failed).ShouldBe((BulkState.Completed, 12, 0, 0));
        foreach (var id in ids)
            (await bed.FindAsync(id))!.Payload.ShouldStartWith("""{"list":[1],"text":"x""");
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_step_that_was_interrupted_is_ended_by_another_process_and_counted_once(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        foreach (var action in Enum.GetValues<BulkAction>())
        {
            Guid[] ids = action is BulkAction.Retry or BulkAction.Edit or BulkAction.Move
                ? [await bed.FailedAsync("ann"), await bed.FailedAsync("ann")]
                : action == BulkAction.Delete ? [await bed.CompletedAsync("ann"), await bed.CompletedAsync("ann")]
                : [await bed.SubmitAsync("ann"), await bed.SubmitAsync("ann")];
            // The patch would add another item, were it applied twice.
            var operation = await bed.CreateAsync(action, ids, Ann, target: action == BulkAction.Move ? "other" : null,
                patch: action == BulkAction.Edit ? """[{"op":"add","path":"/list/-","value":1}]""" : null);

            // A process dies after it has changed one of the two tasks.
            await bed.BeginAsync(operation);
            var steps = bed.Engine.Services.GetRequiredService<BulkSteps>();
            var tasks = await bed.Store.OpenTasksAsync(operation.Id, default);
            tasks.Count.ShouldBe(2);
            (await steps.ApplyAsync(operation, [tasks.Single(t => t.TaskId == ids[0])], Ann)).Done.Count.ShouldBe(1);
            await bed.WorkAsync();
            (await bed.GetAsync(operation)).State.ShouldBe(BulkState.Running, "it is held");

            bed.Time.Step(BulkOperationWorker.Lease);
            await bed.WorkAsync();

            var ended = await bed.GetAsync(operation);
            (ended.State, ended.Done, ended.Skipped, ended.Failed).ShouldBe((BulkState.Completed, 2, 0, 0), $"{action}");
            if (action == BulkAction.Edit)
                (await bed.FindAsync(ids[0]))!.Payload.ShouldBe("""{"list":[1]}""");
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task An_operation_is_paused_resumed_and_cancelled_between_steps(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var ids = new List<Guid>();
        for (var i = 0; i < 5; i++)
            ids.Add(await bed.SubmitAsync("ann"));
        var operation = await bed.CreateAsync(BulkAction.Cancel, ids, Ann, rate: 2);

        await bed.WorkAsync();
        (await bed.GetAsync(operation)).Done.ShouldBe(2); // a second's
        (await bed.Service.PauseAsync(operation, default)).ShouldBeTrue();
        (await bed.Service.PauseAsync(operation, default)).ShouldBeFalse();
        bed.Time.Step(TimeSpan.FromMinutes(1));
        await bed.WorkAsync();
        var paused = await bed.GetAsync(operation);
        (paused.State, paused.Done, paused.CanUndo).ShouldBe((BulkState.Paused, 2, false));

        (await bed.Service.ResumeAsync(paused, default)).ShouldBeTrue();
        await bed.WorkAsync();
        (await bed.GetAsync(operation)).Done.ShouldBe(4);
        (await bed.Service.CancelAsync(operation, default)).ShouldBeTrue();
        bed.Time.Step(TimeSpan.FromMinutes(1));
        await bed.WorkAsync();
        var cancelled = await bed.GetAsync(operation);
        (cancelled.State, cancelled.Done, cancelled.CanUndo).ShouldBe((BulkState.Cancelled, 4, true));
        cancelled.FinishedAt.ShouldNotBeNull();
        (await bed.Service.ResumeAsync(cancelled, default)).ShouldBeFalse();
        (await bed.Service.CancelAsync(cancelled, default)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(0.5, 1, 2)]
    [InlineData(3, 3, 1)]
    public async Task The_rate_bounds_the_tasks_of_a_time_and_of_a_step(double rate, int tasks, int seconds)
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        var ids = new List<Guid>();
        for (var i = 0; i < 10; i++)
            ids.Add(await bed.SubmitAsync("ann"));
        var operation = await bed.CreateAsync(BulkAction.Cancel, ids, Ann, rate: rate);

        for (var round = 1; round <= 3; round++)
        {
            await bed.WorkAsync();
            await bed.WorkAsync();
            (await bed.GetAsync(operation)).Done.ShouldBe(round * tasks);
            bed.Time.Step(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(500));
            await bed.WorkAsync();
            (await bed.GetAsync(operation)).Done.ShouldBe(round * tasks, "it is not due yet");
            bed.Time.Step(TimeSpan.FromMilliseconds(500));
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task An_operation_changes_nothing_that_its_creator_may_not_and_others_do_not_see_it(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var (anns, bens) = (await bed.SubmitAsync("ann"), await bed.SubmitAsync("ben"));
        var narrow = Access.Of("ann", "x") with { Credential = "key" };

        (await bed.RunAsync(BulkAction.Cancel, [anns, bens], narrow)).Skipped.ShouldBe(2);
        var operation = await bed.RunAsync(BulkAction.Cancel, [anns, bens], Ann);
        (operation.Done, operation.Skipped).ShouldBe((1, 1));
        await bed.ShouldBeAsync(bens, TaskStates.Pending);

        (await bed.Store.FindAsync(operation.Id, Ben, default)).ShouldBeNull();
        (await bed.Store.FindAsync(operation.Id, narrow, default)).ShouldBeNull();
        (await bed.Store.ListAsync(null, 10, Ben, default)).ShouldBeEmpty();
        (await bed.Store.ListAsync(null, 10, narrow, default)).Count.ShouldBe(1); // its own
        (await bed.Store.ListAsync(null, 10, Ann, default)).Count.ShouldBe(2);
        (await bed.Store.ListAsync(operation.Id, 10, Access.All, default)).Count.ShouldBe(1);
        // An administrator of one queue moves nothing of other tenants to where it administers nothing.
        var admin = new Access { Tenant = "ann", Own = QueuePatterns.All, Others = QueuePatterns.Of(["q"]) };
        var move = await bed.RunAsync(BulkAction.Move, [bens], admin, target: "other");
        (move.Done, move.Failed).ShouldBe((0, 1));
        // Whoever undoes it undoes what it may.
        var all = await bed.RunAsync(BulkAction.Cancel, [bens], Access.All);
        (await bed.Service.UndoAsync(all, Ann, default)).ShouldBeTrue();
        await bed.WorkAsync();
        (await bed.GetAsync(all)).Undone.ShouldBe(0);
        await bed.ShouldBeAsync(bens, TaskStates.Cancelled);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Operations_are_bounded_and_old_ones_are_removed(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider, new()
        {
            ["TaskQueue:BulkOperations:MaxUnfinishedPerTenant"] = "2",
            ["TaskQueue:BulkOperations:MaxUndoTasks"] = "3",
        });
        var ids = new List<Guid>();
        for (var i = 0; i < 5; i++)
            ids.Add(await bed.SubmitAsync("ann"));

        var few = await bed.CreateAsync(BulkAction.Cancel, ids[..2], Ann);
        var many = await bed.CreateAsync(BulkAction.Cancel, ids, Ann);
        (await bed.Service.CreateAsync(New(BulkAction.Cancel, ids), Ann, "a", default)).ShouldBeNull();
        (await bed.Service.CreateAsync(New(BulkAction.Cancel, ids), Ben, "b", default)).ShouldNotBeNull();
        await bed.WorkAsync();
        (await bed.GetAsync(few)).CanUndo.ShouldBeTrue();
        var rest = await bed.RunAsync(BulkAction.Retry, ids, Ann);
        (rest.Done, rest.Kept, rest.IsBeyondUndo, rest.CanUndo).ShouldBe((5, 0, true, false));

        (await bed.Store.RemoveExcessAsync(3, 10, default)).ShouldBe(0);
        (await bed.Store.RemoveExcessAsync(2, 10, default)).ShouldBe(1);
        (await bed.Store.ListAsync(null, 10, Ann, default)).Select(o => o.Id).ShouldBe([rest.Id, many.Id]);
        var paused = await bed.CreateAsync(BulkAction.Cancel, ids, Ann);
        (await bed.Service.PauseAsync(paused, default)).ShouldBeTrue();
        (await bed.Store.RemoveAsync(Micros.Now(bed.Time).AddDays(1), 10, default)).ShouldBe(3);
        (await bed.Store.ListAsync(null, 10, Access.All, default)).ShouldHaveSingleItem().Id.ShouldBe(paused.Id);
        (await bed.CountTasksAsync()).ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_preview_counts_what_would_be_changed_and_changes_nothing(DatabaseProvider provider)
    {
        await using var bed = await BedAsync(provider);
        var (waiting, failed, bens) = (await bed.SubmitAsync("ann"), await bed.FailedAsync("ann"), await bed.SubmitAsync("ben"));

        var listed = await bed.Service.PreviewAsync(New(BulkAction.Cancel, [waiting, failed, bens]), Ann, default);
        var found = await bed.Service.PreviewAsync(
            New(BulkAction.Retry, []) with { Selection = new BulkSelection { Search = new TaskSearch() } }, Ann, default);

        (listed.Total, found.Total).ShouldBe((new SearchTotal(1, true), new SearchTotal(1, true)));
        (listed.Samples.ShouldHaveSingleItem(), found.Samples.ShouldHaveSingleItem()).ShouldBe((waiting, failed));
        var none = new BulkSelection { Search = new TaskSearch { States = [TaskStates.Completed] } };
        (await Should.ThrowAsync<InvalidSearchException>(
            () => bed.Service.PreviewAsync(New(BulkAction.Retry, []) with { Selection = none }, Ann, default)))
            .Message.ShouldContain("retry changes only tasks that are failed, cancelled");
        (await bed.Store.ListAsync(null, 10, Access.All, default)).ShouldBeEmpty();
        await bed.ShouldBeAsync(waiting, TaskStates.Pending);
    }

    [Fact]
    public async Task An_operation_whose_steps_fail_is_paused_and_can_be_resumed()
    {
        await using var bed = await BedAsync(DatabaseProvider.Sqlite);
        var id = await bed.SubmitAsync("ann");
        var operation = await bed.CreateAsync(BulkAction.Cancel, [id], Ann);
        await using (var db = bed.Database.CreateContext())
            await db.Operations.ExecuteUpdateAsync(o => o.SetProperty(x => x.Selection, "nonsense"));

        for (var i = 0; i < 5; i++)
        {
            await bed.WorkAsync();
            bed.Time.Step(TimeSpan.FromSeconds(5));
        }

        var paused = await bed.GetAsync(operation);
        (paused.State, paused.Error).ShouldBe((BulkState.Paused, "a step failed; the log of the server says more"));
        await using (var db = bed.Database.CreateContext())
            await db.Operations.ExecuteUpdateAsync(o => o.SetProperty(x => x.Selection, operation.Selection));
        (await bed.Service.ResumeAsync(paused, default)).ShouldBeTrue();
        await bed.WorkAsync();
        (await bed.GetAsync(operation)).State.ShouldBe(BulkState.Completed);
    }

    private static NewBulkOperation New(BulkAction action, IReadOnlyList<Guid> ids) =>
        new(action, new BulkSelection { Ids = ids }, null, null, null);

    private static async Task<BulkOperationBed> BedAsync(DatabaseProvider provider, Dictionary<string, string?>? settings = null) =>
        new(await TestDatabase.CreateAsync(provider), settings);
}
