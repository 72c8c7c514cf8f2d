using System.Globalization;
using System.Runtime.Serialization;
using Hangfire;
using Hangfire.Client;
using Hangfire.Common;
using Hangfire.Server;
using Hangfire.States;
using Hangfire.Storage;

namespace TaskQueue.Tests.Unit;

#pragma warning disable CA1822 // jobs are methods of objects

/// <summary>Jobs of the tests. What they did is in <see cref="Done"/>.</summary>
public class HangfireTestJobs(List<string> done)
{
    public List<string> Done { get; } = done;

    public void Send(string to, int copies) => Done.Add($"{to} {copies}");

    public async Task<int> SumAsync(int[] numbers, CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        return numbers.Sum();
    }

    public Card Print(Card card, DateOnly day, IReadOnlyDictionary<string, decimal> prices) =>
        card with { Name = $"{card.Name} {day:yyyy-MM-dd} {prices.Values.Sum().ToString(CultureInfo.InvariantCulture)}" };

    public string Culture() => CultureInfo.CurrentCulture.Name;

    public string? Who(PerformContext context, IJobCancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        return $"{context.BackgroundJob.Id} {context.GetJobParameter<int>("RetryCount")}";
    }

    [AutomaticRetry(Attempts = 3, DelaysInSeconds = [5, 60])]
    public void Retried() => throw new InvalidOperationException("try again");

    [AutomaticRetry(Attempts = 3, OnlyOn = [typeof(TimeoutException)])]
    public void Only(bool timeout) => throw (timeout ? new TimeoutException("late") : new InvalidOperationException("useless"));

    [AutomaticRetry(Attempts = 0)]
    public void Once() => Done.Add("once");

    [AutomaticRetry(Attempts = 0)]
    public void FailsOnce() => throw new InvalidOperationException("once");

    [Queue("urgent")]
    public void Urgent() => Done.Add("urgent");

    [Queue("of-{0}")]
    public void OfTenant(string tenant) => Done.Add(tenant);

    [DisableConcurrentExecution(60)]
    public void Alone() => Done.Add("alone");

    [DisableConcurrentExecution("account:{0}", 60), Queue("accounts")]
    public void AloneFor(int account) => Done.Add($"{account}");

    [LatencyTimeout(90)]
    public void Soon() => Done.Add("soon");

    [Watched]
    public void Watched() => Done.Add("watched");

    [Noted]
    public void Noted() => Done.Add("work");

    public void Anything(object thing) => Done.Add($"{thing}");

    public void Shape(HangfireTestShape shape) => Done.Add($"{shape}");

    public void Fault(Exception fault) => Done.Add(fault.Message);

    public void Graph(Holder holder) => Done.Add($"{holder.Inner}");

    public void Generic<T>(T value) => Done.Add($"{value}");

    public void After([FromResult] string result) => Done.Add(result);

    public static string Static() => "static";

    protected void Hidden() => Done.Add("hidden");

    private void Secret() => Done.Add(GetType().Name);

    internal void Internal() => Secret();

    public sealed record Card(string Name, int? Age, List<Guid> Ids);

    public sealed record Holder(Inside Inner);

    public sealed record Inside(object Value);

    /// <summary>A filter of states, which cannot work.</summary>
    public sealed class WatchedAttribute : JobFilterAttribute, IApplyStateFilter
    {
        public void OnStateApplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
        {
            // Never called.
        }

        public void OnStateUnapplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
        {
            // Never called.
        }
    }

    /// <summary>A filter of both sides: what the client notes, the server reads.</summary>
    public sealed class NotedAttribute : JobFilterAttribute, IClientFilter, IServerFilter
    {
        public void OnCreating(CreatingContext context) => context.SetJobParameter("Note", "written by the client");

        public void OnCreated(CreatedContext context)
        {
            // Nothing to add.
        }

        public void OnPerforming(PerformingContext context) => Log(context).Add($"before: {context.GetJobParameter<string>("Note")}");

        public void OnPerformed(PerformedContext context) => Log(context).Add("after");

        private static List<string> Log(PerformContext context) => HangfireTestLog.Of(context.BackgroundJob.Id);
    }
}

/// <summary>A class that others derive from.</summary>
public class HangfireTestShape
{
    public int Size { get; set; }
}

/// <summary>One of them.</summary>
public sealed class HangfireTestCircle : HangfireTestShape
{
    public int Radius { get; set; }
}

/// <summary>An interface whose implementation is a service.</summary>
public interface IHangfireTestMailer
{
    void Send(string to);
}

/// <summary>Has methods of the framework, which are no jobs.</summary>
public class HangfireTestService(List<string> done) : Microsoft.Extensions.Hosting.BackgroundService, IAsyncDisposable
{
    public void Work() => done.Add("work");

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        done.Add("stopped");
        return base.StopAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
}

/// <summary>Generic jobs are allowed with their arguments only.</summary>
public class HangfireTestImport<T>
{
    public string Run() => typeof(T).Name;
}

/// <summary>Would do harm if a payload could choose it.</summary>
[Serializable]
public sealed class HangfireTestGadget : ISerializable
{
    public static bool Created { get; private set; }

    public HangfireTestGadget() => Created = true;

    private HangfireTestGadget(SerializationInfo info, StreamingContext context) =>
        Created = info.MemberCount >= 0 || context.Context is null;

    public string? Path
    {
        get => null;
        set => Created = value is not null;
    }

    public void GetObjectData(SerializationInfo info, StreamingContext context) => ArgumentNullException.ThrowIfNull(info);
}

/// <summary>What filters did, by job.</summary>
internal static class HangfireTestLog
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, List<string>> Lines = new();

    public static List<string> Of(string job) => Lines.GetOrAdd(job, _ => []);
}
