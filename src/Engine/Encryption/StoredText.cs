using System.Globalization;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Engine.Encryption;

/// <summary>An encrypted text of an entity that EF Core writes.</summary>
/// <param name="Property">The property, which may hold several texts.</param>
/// <param name="Place">Where it is stored.</param>
/// <param name="Value">The current text.</param>
/// <param name="Set">Replaces the text.</param>
internal sealed record StoredText(string Property, Place Place, string? Value, Action<string?> Set)
{
    /// <summary>The encrypted texts of an entity; empty for entities without user data.</summary>
    public static IEnumerable<StoredText> Of(object entity)
    {
        switch (entity)
        {
            case Auth.SessionKey key:
                yield return new(nameof(Auth.SessionKey.Text), new("session_keys.text", Guid.Empty, $"{key.Number}"), key.Text,
                    v => key.Text = v!);
                break;
            case Callback callback:
                yield return new(nameof(Callback.Body), Place.Result(callback.SubjectId), callback.Body, v => callback.Body = v!);
                break;
            case BatchState batch:
                var id = batch.CorrelationId;
                yield return new(nameof(BatchState.Metadata), new("batches.metadata", id), batch.Metadata, v => batch.Metadata = v);
                yield return new(nameof(BatchState.Errors), new("batches.errors", id), batch.Errors, v => batch.Errors = v);
                break;
            case BulkOperation operation:
                yield return new(nameof(BulkOperation.Patch), new("operations.patch", operation.Id), operation.Patch,
                    v => operation.Patch = v);
                yield return new(nameof(BulkOperation.Error), Place.OperationError(operation.Id), operation.Error,
                    v => operation.Error = v);
                break;
            case BulkOperationTask task:
                yield return new(nameof(BulkOperationTask.FormerPayload), new("operation_tasks.former_payload", task.OperationId,
                    $"{task.TaskId:N}"), task.FormerPayload, v => task.FormerPayload = v);
                break;
            case FailureGroup group:
                yield return new(nameof(FailureGroup.Message), new("failure_groups.message", group.Id), group.Message,
                    v => group.Message = v!);
                yield return new(nameof(FailureGroup.ErrorType), new("failure_groups.error_type", group.Id), group.ErrorType,
                    v => group.ErrorType = v);
                break;
            case FailureSample sample:
                var attempt = string.Create(CultureInfo.InvariantCulture, $"{sample.TaskId:N}/{sample.Attempt}");
                yield return new(nameof(FailureSample.Error), new("failure_samples.error", sample.GroupId, attempt), sample.Error,
                    v => sample.Error = v!);
                yield return new(nameof(FailureSample.Stack), new("failure_samples.stack", sample.GroupId, attempt), sample.Stack,
                    v => sample.Stack = v);
                break;
            case TaskLogRow log:
                yield return new(nameof(TaskLogRow.Lines), new("task_logs.entries", log.TaskId,
                    log.Number.ToString(CultureInfo.InvariantCulture)), log.Lines, v => log.Lines = v!);
                break;
            case ScheduleRecord schedule:
                const string Settings = nameof(ScheduleRecord.Settings);
                var name = $"{schedule.Queue}/{schedule.Name}";
                yield return new(Settings, new("schedules.payload", Guid.Empty, name), schedule.Settings.Payload,
                    v => schedule.Settings = schedule.Settings with { Payload = v! });
                yield return new(Settings, new("schedules.headers", Guid.Empty, name), schedule.Settings.Headers,
                    v => schedule.Settings = schedule.Settings with { Headers = v });
                break;
        }
    }
}
