using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.Loader;
using Hangfire;
using Hangfire.InMemory;
using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What the jobs of the shop have done.</summary>
public sealed class ShopLedger
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyList<string> Lines => [.. _lines.Order(StringComparer.Ordinal)];

    public void Add(string line) => _lines.Enqueue(line);
}

/// <summary>A service that jobs are called on by its interface.</summary>
public interface IShopMailer
{
    Task SendAsync(string to, ShopReceipt receipt);
}

/// <summary>An argument.</summary>
public sealed record ShopReceipt(int Number, decimal Total, IReadOnlyList<string> Items, DateTimeOffset? At);

/// <summary>The service.</summary>
public sealed class ShopMailer(ShopLedger ledger) : IShopMailer
{
    public async Task SendAsync(string to, ShopReceipt receipt)
    {
        await Task.Yield();
        ledger.Add($"mail to {to}: {receipt.Number} {receipt.Total.ToString(CultureInfo.InvariantCulture)} "
            + $"{string.Join('+', receipt.Items)} {receipt.At:O}");
    }
}

/// <summary>The jobs of a program that was written for Hangfire.</summary>
public class ShopJobs(ShopLedger ledger)
{
    public async Task<int> BookAsync(int amount, CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        ledger.Add($"booked {amount}");
        return amount * 2;
    }

    [Queue("urgent")]
    public void Alarm(Guid customer, bool loud) => ledger.Add($"alarm {customer} {loud}");

    public string Pack(string what, IJobCancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        ledger.Add($"packed {what} in {CultureInfo.CurrentCulture.Name}");
        return what;
    }

    public void Ship(string what) => ledger.Add($"shipped {what}");

    [AutomaticRetry(Attempts = 2, DelaysInSeconds = [0])]
    public void Flaky(string job, PerformContext context)
    {
        ledger.Add($"try {context.GetJobParameter<int>("RetryCount")} of {job}");
        if (context.GetJobParameter<int>("RetryCount") < 1)
            throw new InvalidOperationException("not yet");
    }

    [DisableConcurrentExecution(60)]
    public void CountStock() => ledger.Add("counted");
}

/// <summary>Its call sites, which are the same before and after.</summary>
public sealed class ShopCalls(IBackgroundJobClient jobs, IRecurringJobManager recurring)
{
    /// <summary>Lines in the ledger when everything is done.</summary>
    public const int Effects = 8;

    public void Sell()
    {
        var receipt = new ShopReceipt(7, 12.5m, ["tea", "cup"], new DateTimeOffset(2031, 2, 3, 4, 5, 6, TimeSpan.Zero));
        jobs.Enqueue<IShopMailer>(m => m.SendAsync("ann", receipt));
        jobs.Schedule<ShopJobs>(j => j.BookAsync(3, CancellationToken.None), TimeSpan.FromMilliseconds(200));
        jobs.Enqueue<ShopJobs>(j => j.Alarm(new Guid("0198c0de-0000-7000-8000-000000000001"), true));
        jobs.Enqueue<ShopJobs>(j => j.Flaky("repair", null!));
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE");
        var packed = jobs.Enqueue<ShopJobs>(j => j.Pack("box", JobCancellationToken.Null));
        CultureInfo.CurrentCulture = before;
        jobs.ContinueJobWith<ShopJobs>(packed, j => j.Ship("box"));
        recurring.AddOrUpdate<ShopJobs>("count the stock", j => j.CountStock(), Cron.Yearly());
        recurring.Trigger("count the stock");
        var wrong = jobs.Schedule<ShopJobs>(j => j.Ship("by mistake"), TimeSpan.FromDays(1));
        jobs.Delete(wrong);
    }
}

/// <summary>The shop on Hangfire itself. It runs in <see cref="OwnHangfire"/>.</summary>
internal static class ShopBefore
{
    public static async Task<string[]> RunAsync()
    {
        await using var services = new ServiceCollection().AddSingleton<ShopLedger>().AddTransient<IShopMailer, ShopMailer>()
            .BuildServiceProvider();
        using var storage = new InMemoryStorage();
        var options = new BackgroundJobServerOptions
        {
            Activator = new ServicesActivator(services), Queues = ["urgent", "default"], WorkerCount = 2,
            SchedulePollingInterval = TimeSpan.FromMilliseconds(100),
        };
        using var server = new BackgroundJobServer(options, storage);
        var ledger = services.GetRequiredService<ShopLedger>();
        new ShopCalls(new BackgroundJobClient(storage), new RecurringJobManager(storage)).Sell();
        await Eventually.UntilAsync(() => Task.FromResult(ledger.Lines.Count >= ShopCalls.Effects), TimeSpan.FromSeconds(30),
            () => string.Join('\n', ledger.Lines));
        return [.. ledger.Lines];
    }

    private sealed class ServicesActivator(IServiceProvider services) : JobActivator
    {
        public override object ActivateJob(Type jobType) => ActivatorUtilities.GetServiceOrCreateInstance(services, jobType);
    }
}

/// <summary>
/// Copies of Hangfire and of these tests with static fields of their own: the server of TaskQueue, which other tests run in this process,
/// makes Hangfire's static settings refuse every job but its own.
/// </summary>
internal sealed class OwnHangfire() : AssemblyLoadContext("own Hangfire")
{
    private readonly AssemblyDependencyResolver _resolver = new(typeof(OwnHangfire).Assembly.Location);

    public static Task<string[]> RunAsync()
    {
        var tests = new OwnHangfire().LoadFromAssemblyPath(typeof(OwnHangfire).Assembly.Location);
        var run = tests.GetType(typeof(ShopBefore).FullName!, throwOnError: true)!.GetMethod(nameof(ShopBefore.RunAsync))!;
        return (Task<string[]>)run.Invoke(null, null)!;
    }

    protected override System.Reflection.Assembly? Load(System.Reflection.AssemblyName assemblyName) =>
        (assemblyName.Name!.StartsWith("Hangfire", StringComparison.Ordinal)
            || assemblyName.Name.StartsWith("TaskQueue.Tests", StringComparison.Ordinal))
        && _resolver.ResolveAssemblyToPath(assemblyName) is { } path ? LoadFromAssemblyPath(path) : null;
}
