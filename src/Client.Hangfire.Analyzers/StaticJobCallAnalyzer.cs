using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace TaskQueue.Client.Hangfire.Analyzers;

/// <summary>
/// Reports static calls such as <c>BackgroundJob.Enqueue</c>. They use the storage of the process, which a container cannot replace, so
/// their jobs do not reach TaskQueue.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class StaticJobCallAnalyzer : DiagnosticAnalyzer
{
    /// <summary>Id of the diagnostic.</summary>
    public const string Id = "TQH001";

    private static readonly DiagnosticDescriptor Rule = new(
        Id,
        "Static call of Hangfire does not reach TaskQueue",
        "'{0}.{1}' uses the static storage of Hangfire and does not reach TaskQueue: inject {2} and call {3} on it",
        "Usage",
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        description: "TaskQueue replaces the services IBackgroundJobClient and IRecurringJobManager. The static classes BackgroundJob and "
            + "RecurringJob do not use them.");

    /// <inheritdoc />
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = ImmutableArray.Create(Rule);

    /// <inheritdoc />
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            var jobs = start.Compilation.GetTypeByMetadataName("Hangfire.BackgroundJob");
            var recurring = start.Compilation.GetTypeByMetadataName("Hangfire.RecurringJob");
            if (jobs is null && recurring is null)
                return;
            start.RegisterOperationAction(operation =>
            {
                var method = operation.Operation is IInvocationOperation call
                    ? call.TargetMethod : ((IMethodReferenceOperation)operation.Operation).Method;
                if (!method.IsStatic)
                    return;
                var isRecurring = SymbolEqualityComparer.Default.Equals(method.ContainingType, recurring);
                if (!isRecurring && !SymbolEqualityComparer.Default.Equals(method.ContainingType, jobs))
                    return;
                operation.ReportDiagnostic(Diagnostic.Create(Rule, operation.Operation.Syntax.GetLocation(), method.ContainingType.Name,
                    method.Name, isRecurring ? "IRecurringJobManager" : "IBackgroundJobClient", method.Name));
            }, OperationKind.Invocation, OperationKind.MethodReference);
        });
    }
}
