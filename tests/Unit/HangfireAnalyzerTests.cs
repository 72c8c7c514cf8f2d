using System.Collections.Immutable;
using Hangfire;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Shouldly;
using TaskQueue.Client.Hangfire.Analyzers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The analyzer in the package: static calls of Hangfire do not reach TaskQueue.</summary>
public sealed class HangfireAnalyzerTests
{
    [Fact]
    public async Task Static_calls_are_reported_with_the_service_to_use()
    {
        var found = await AnalyzeAsync("""
            using System;
            using Hangfire;

            public static class Shop
            {
                public static void Work() { }

                public static void Sell(Func<string, bool> delete)
                {
                    BackgroundJob.Enqueue(() => Work());
                    Hangfire.BackgroundJob.Schedule(() => Work(), TimeSpan.FromDays(1));
                    RecurringJob.AddOrUpdate("id", () => Work(), "* * * * *");
                    RecurringJob.RemoveIfExists("id");
                    Sell(BackgroundJob.Delete);
                }
            }
            """);

        found.Select(d => d.Id).Distinct().ShouldBe(["TQH001"]);
        found.Select(d => d.GetMessage()).ShouldBe(
        [
            Message("BackgroundJob.Enqueue", "IBackgroundJobClient"), Message("BackgroundJob.Schedule", "IBackgroundJobClient"),
            Message("RecurringJob.AddOrUpdate", "IRecurringJobManager"), Message("RecurringJob.RemoveIfExists", "IRecurringJobManager"),
            Message("BackgroundJob.Delete", "IBackgroundJobClient"),
        ]);
        found.ShouldAllBe(d => d.Severity == DiagnosticSeverity.Warning && d.Location.IsInSource);
    }

    [Fact]
    public async Task Injected_services_and_other_classes_of_the_same_name_are_not()
    {
        (await AnalyzeAsync("""
            using System;
            using Hangfire;

            public sealed class Shop(IBackgroundJobClient jobs, IRecurringJobManager recurring)
            {
                public static void Work() { }

                public void Sell()
                {
                    jobs.Enqueue(() => Work());
                    jobs.Delete("id");
                    recurring.AddOrUpdate("id", () => Work(), Cron.Daily());
                    Own.BackgroundJob.Enqueue(() => Work());
                    _ = new BackgroundJob("id", null, DateTime.UnixEpoch);
                }
            }

            namespace Own
            {
                public static class BackgroundJob
                {
                    public static void Enqueue(Action work) => work();
                }
            }
            """)).ShouldBeEmpty();
    }

    private static string Message(string call, string service) =>
        $"'{call}' uses the static storage of Hangfire and does not reach TaskQueue: inject {service} and call {call.Split('.')[1]} on it";

    private static async Task<List<Diagnostic>> AnalyzeAsync(string source)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Append(typeof(BackgroundJob).Assembly.Location).Distinct().Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create("Shop", [CSharpSyntaxTree.ParseText(source)], references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).ShouldBeEmpty();
        var found = await compilation.WithAnalyzers(ImmutableArray.Create<DiagnosticAnalyzer>(new StaticJobCallAnalyzer()))
            .GetAnalyzerDiagnosticsAsync();
        return [.. found.OrderBy(d => d.Location.SourceSpan.Start)];
    }
}
