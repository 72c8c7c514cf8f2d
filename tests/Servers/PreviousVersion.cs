using Xunit;

namespace TaskQueue.Tests.Servers;

/// <summary>The newest release, built by tests/previous.sh.</summary>
internal static class PreviousVersion
{
    private const string Variable = "TASKQUEUE_TEST_PREVIOUS";

    /// <summary>Path of its executable, or null.</summary>
    public static string? Executable { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    public static string WhyNot => $"there is no release to upgrade from yet ({Variable}, which test.sh sets once there is one)";
}

/// <summary>A test that needs the previous version; skipped if there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class UpgradeFactAttribute : FactAttribute
{
    public UpgradeFactAttribute()
    {
        if (PreviousVersion.Executable is null)
            Skip = PreviousVersion.WhyNot;
    }
}
