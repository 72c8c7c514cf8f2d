using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Npgsql;
using TaskQueue.Storage.Postgres;

namespace TaskQueue.Tests.Integration.Plans;

/// <summary>A statement that PostgreSQL ran, and its plan.</summary>
internal sealed record RanStatement(string Sql, string Plan);

/// <summary>
/// A data source whose server reports the plan of every statement that it runs (auto_explain, as notices). So the
/// statements examined are those the store sends, with their actual types and number of parameters.
/// </summary>
internal sealed class PlanWatch : ILoggerProvider, ILogger
{
    private const string QueryText = "Query Text: ";

    private readonly ConcurrentQueue<RanStatement> _statements = new();
    private readonly LoggerFactory _loggers = new();

    /// <param name="connectionString">The database, as a superuser.</param>
    /// <param name="options">Options of the sessions.</param>
    /// <param name="planCacheMode">force_custom_plan or force_generic_plan: what a prepared statement gets.</param>
    public PlanWatch(string connectionString, string options, string planCacheMode)
    {
        _loggers.AddProvider(this);
        var builder = new NpgsqlDataSourceBuilder(connectionString).UseLoggerFactory(_loggers);
        builder.ConnectionStringBuilder.MaxAutoPrepare = PostgresProvider.MaxAutoPrepare;
        builder.ConnectionStringBuilder.Options =
            $"{options} -c plan_cache_mode={planCacheMode}"
            + " -c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c client_min_messages=log";
        Source = builder.Build();
    }

    public NpgsqlDataSource Source { get; }

    /// <summary>Statements run so far.</summary>
    public IReadOnlyCollection<RanStatement> Statements => _statements;

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        var text = formatter(state, exception);
        if (text.IndexOf(QueryText, StringComparison.Ordinal) is var from and >= 0)
            _statements.Enqueue(Parse(text[(from + QueryText.Length)..]));
    }

    public void Dispose()
    {
        Source.Dispose();
        _loggers.Dispose();
    }

    /// <summary>The statement, then its parameters if the server reports them, then the plan, whose first line has costs.</summary>
    private static RanStatement Parse(string text)
    {
        var lines = text.Split('\n');
        var plan = Array.FindIndex(lines, l => l.Contains("  (cost=", StringComparison.Ordinal));
        var statement = lines[..plan].TakeWhile(l => !l.StartsWith("Query Parameters: ", StringComparison.Ordinal));
        return new RanStatement(string.Join('\n', statement), string.Join('\n', lines[plan..].Select(WithoutCosts)).TrimEnd());
    }

    private static string WithoutCosts(string line) =>
        line.IndexOf("  (cost=", StringComparison.Ordinal) is var costs and >= 0 ? line[..costs] : line.TrimEnd();
}
