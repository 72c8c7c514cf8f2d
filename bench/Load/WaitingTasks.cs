using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>Refills the waiting tasks to the same number before every sample.</summary>
internal sealed class WaitingTasks(BenchRun run, BenchDatabase database)
{
    private long _inserted;
    private long _taken;

    /// <summary>Claims and reports the given number of tasks.</summary>
    /// <param name="count">Number of tasks.</param>
    /// <param name="takeAsync">Takes them, and returns the tasks per second.</param>
    public async Task<double> TakeAsync(int count, Func<Task<double>> takeAsync)
    {
        await TopUpAsync();
        var rate = await takeAsync();
        _taken += count;
        var completed = await database.CountKeptAsync();
        return completed == _taken ? rate
            : throw new BenchException($"{_taken} tasks were claimed and reported, but {completed} are completed");
    }

    private async Task TopUpAsync()
    {
        var missing = (int)(run.Sizes.Waiting - (_inserted - _taken));
        await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), _inserted + 1, missing);
        _inserted += missing;
        await database.TidyTasksAsync();
        await database.SettleAsync();
    }
}
